import pytest
import torch

from genai_tutorial.retrieval import (
    FlatIndex,
    InvertedFileIndex,
    ProductQuantizer,
    SmallWorldGraph,
    recall_of_neighbours,
)


def clustered(n=300, dim=8, seed=0):
    """Return vectors around a few centres, and queries like them."""
    generator = torch.Generator().manual_seed(seed)
    centres = 3 * torch.randn(6, dim, generator=generator)
    chosen = torch.randint(6, (n + 20,), generator=generator)
    points = centres[chosen] + torch.randn(n + 20, dim, generator=generator)
    return points[:n].contiguous(), points[n:].contiguous()


@pytest.fixture(scope="module")
def points():
    return clustered()


@pytest.fixture(scope="module")
def exact(points):
    return FlatIndex(points[0]).search(points[1], k=10)


def test_flat_index_marks_missing_neighbours():
    found = FlatIndex(torch.zeros(1, 2)).search(torch.zeros(1, 2), k=3)
    assert found.ids.tolist() == [[0, -1, -1]]
    assert found.distances.tolist() == [[0.0, float("inf"), float("inf")]]


def test_inverted_file_with_all_lists_is_exact(points, exact):
    vectors, queries = points
    index = InvertedFileIndex.fit(vectors, 12, torch.Generator().manual_seed(0))
    found = index.search(queries, k=10, probes=12)
    assert torch.equal(found.ids, exact.ids)
    assert (found.compared == 12 + 300).all()
    assert sorted(torch.cat(index.lists).tolist()) == list(range(300))


def test_inverted_file_finds_more_with_more_lists_and_counts_them(points, exact):
    vectors, queries = points
    index = InvertedFileIndex.fit(vectors, 12, torch.Generator().manual_seed(0))
    searched = [index.search(queries, 10, probes) for probes in (1, 3, 6)]
    recalls = [recall_of_neighbours(found.ids, exact.ids) for found in searched]
    assert recalls == sorted(recalls)
    assert recalls[0] < recalls[-1]
    first = queries[:1]
    nearest = torch.cdist(first, index.centroids).argmin()
    assert searched[0].compared[0] == 12 + len(index.lists[nearest])


def test_small_world_graph_trades_width_for_recall(points, exact):
    vectors, queries = points
    graph = SmallWorldGraph(vectors, links=8, width=20)
    narrow, wide = (graph.search(queries, 10, width) for width in (10, 60))
    assert recall_of_neighbours(wide.ids, exact.ids) > 0.97
    assert (narrow.compared < wide.compared).all()
    assert wide.compared.float().mean() < 300
    order = wide.distances.argsort(dim=1, stable=True)
    assert torch.equal(order, torch.arange(10).expand_as(order))


def test_small_world_graph_keeps_links_within_limits(points):
    graph = SmallWorldGraph(points[0], links=4, width=20)
    sizes = [len(layer) for layer in graph.layers]
    assert sizes[0] == 300
    assert sizes == sorted(sizes, reverse=True)
    for layer, most in zip(graph.layers, (8, *[4] * len(sizes)), strict=False):
        for number, linked in layer.items():
            assert number not in linked
            assert len(set(linked)) == len(linked) <= most


def test_small_world_graph_finds_every_vector_itself():
    vectors, _ = clustered(n=120, seed=3)
    graph = SmallWorldGraph(vectors, links=6, width=30)
    found = graph.search(vectors, k=1, width=20).ids.flatten()
    assert (found == torch.arange(120)).float().mean() > 0.97


def test_small_world_graph_of_one_vector():
    found = SmallWorldGraph(torch.ones(1, 2)).search(torch.zeros(2, 2), k=2, width=2)
    assert found.ids.tolist() == [[0, -1], [0, -1]]
    assert found.distances[:, 0].tolist() == [2.0, 2.0]


def test_quantizer_error_falls_with_more_codes(points):
    vectors, _ = points
    errors = []
    for codes in (2, 8, 32):
        generator = torch.Generator().manual_seed(0)
        quantizer = ProductQuantizer.fit(vectors, 4, generator, codes)
        decoded = quantizer.decode(quantizer.encode(vectors))
        errors.append((decoded - vectors).square().mean().item())
    assert errors == sorted(errors, reverse=True)


def test_quantizer_distances_equal_those_to_decoded_vectors(points):
    vectors, queries = points
    quantizer = ProductQuantizer.fit(vectors, 2, torch.Generator().manual_seed(0), 16)
    codes = quantizer.encode(vectors)
    expected = torch.cdist(queries, quantizer.decode(codes)).square()
    torch.testing.assert_close(
        quantizer.distances(queries, codes), expected, atol=1e-3, rtol=1e-4
    )
    assert codes.dtype == torch.uint8
    assert codes.shape == (300, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: FlatIndex(x[:0]), "at least one vector"),
        (lambda x: FlatIndex(x * float("nan")), "must be finite"),
        (lambda x: FlatIndex(x).search(x[:, :3], 1), "8 features, got queries with 3"),
        (lambda x: FlatIndex(x).search(x, 0), "k must be at least 1"),
        (lambda x: InvertedFileIndex(x, x[:2, :3]), "8 features and the centroids 3"),
        (lambda x: InvertedFileIndex(x, x[:2]).search(x, 1, 3), "lists, 2, got 3"),
        (lambda x: SmallWorldGraph(x, links=1), "links must be at least 2"),
        (lambda x: SmallWorldGraph(x[:5]).search(x, 3, 2), "width must be at least k"),
        (lambda x: ProductQuantizer.fit(x, 3, torch.Generator(), 4), "must divide"),
        (lambda x: ProductQuantizer(torch.zeros(1, 257, 8)), "at most 256 entries"),
    ],
)
def test_indices_reject_what_does_not_fit(points, make, message):
    with pytest.raises(ValueError, match=message):
        make(points[0])
