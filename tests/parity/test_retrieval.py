"""The book's retrieval equals bm25s, SQLite, FAISS, Qdrant and scikit-learn."""

import math
import sqlite3

import numpy as np
import pytest
import torch

from genai_tutorial import retrieval
from genai_tutorial.data import load_facts
from genai_tutorial.metrics import auroc, roc_curve
from genai_tutorial.metrics.ranking import ndcg_at_k
from genai_tutorial.tasks.assistant import ask_facts
from genai_tutorial.tasks.assistant.questions import answer_sentence
from tests.parity.weights import same

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def asked():
    return ask_facts(load_facts()[:600], "held-out", per_fact=1)


@pytest.fixture(scope="module")
def passages(asked):
    return [answer_sentence(question) + "." for question in asked]


@pytest.fixture(scope="module")
def vectors():
    """Return clustered vectors of length one, and queries like them."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(40, 32, generator=generator)
    chosen = torch.randint(40, (2100,), generator=generator)
    points = centres[chosen] + 0.7 * torch.randn(2100, 32, generator=generator)
    points = torch.nn.functional.normalize(points, dim=1)
    return points[:2000].contiguous(), points[2000:].contiguous()


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4)])
def test_bm25_equals_bm25s(passages, asked, k1, b):
    import bm25s

    theirs = bm25s.BM25(method="lucene", k1=k1, b=b)
    theirs.index([retrieval.words(text) for text in passages], show_progress=False)
    ours = retrieval.BM25Index(passages, k1=k1, b=b)
    for question in asked[::6]:
        once = " ".join(dict.fromkeys(retrieval.words(question.text)))
        expected = theirs.get_scores(retrieval.words(once))
        assert np.abs(ours.scores(once).numpy() - expected).max() < 1e-5


def floored_weight(texts: int, containing: int) -> float:
    """Return SQLite's inverse document frequency: the odds' logarithm, or 1e-6."""
    return max(math.log((texts - containing + 0.5) / (containing + 0.5)), 1e-6)


def test_bm25_equals_sqlite(passages, asked, monkeypatch):
    monkeypatch.setattr(retrieval.bm25, "lucene_weight", floored_weight)
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE words USING fts5 (tokens)")
    database.executemany(
        "INSERT INTO words (rowid, tokens) VALUES (?, ?)",
        [
            (number, " ".join(retrieval.words(text)))
            for number, text in enumerate(passages)
        ],
    )
    ours = retrieval.BM25Index(passages, k1=1.2)
    for question in asked[::6]:
        query = " OR ".join(f'"{word}"' for word in retrieval.words(question.text))
        rows = database.execute(
            "SELECT rowid, -bm25(words) FROM words WHERE words MATCH ?", (query,)
        ).fetchall()
        expected = torch.zeros(len(passages), dtype=torch.float64)
        for number, score in rows:
            expected[number] = score
        # SQLite multiplies every score by k1 + 1, which changes no order.
        scores = 2.2 * ours.exact_scores(question.text)
        torch.testing.assert_close(scores, expected, atol=1e-12, rtol=1e-12)
    database.close()


def test_flat_index_equals_faiss(vectors):
    import faiss

    theirs = faiss.IndexFlatL2(32)
    theirs.add(vectors[0].numpy())
    squares, ids = theirs.search(vectors[1].numpy(), 10)
    ours = retrieval.FlatIndex(vectors[0]).search(vectors[1], 10)
    assert torch.equal(ours.ids, torch.from_numpy(ids))
    same(ours.distances, torch.from_numpy(squares), rtol=0)


@pytest.mark.parametrize("probes", [1, 4, 45])
def test_inverted_file_equals_faiss(vectors, probes):
    import faiss

    faiss.omp_set_num_threads(1)
    theirs = faiss.IndexIVFFlat(faiss.IndexFlatL2(32), 32, 45)
    theirs.train(vectors[0].numpy())
    theirs.add(vectors[0].numpy())
    theirs.nprobe = probes
    _, ids = theirs.search(vectors[1].numpy(), 10)
    centroids = torch.from_numpy(theirs.quantizer.reconstruct_n(0, 45))
    ours = retrieval.InvertedFileIndex(vectors[0], centroids).search(
        vectors[1], 10, probes
    )
    assert torch.equal(ours.ids, torch.from_numpy(ids))


def test_small_world_graph_comes_near_faiss(vectors):
    import faiss

    faiss.omp_set_num_threads(1)
    theirs = faiss.IndexHNSWFlat(32, 8)
    theirs.hnsw.efConstruction = 40
    theirs.add(vectors[0].numpy())
    ours = retrieval.SmallWorldGraph(vectors[0], links=8, width=40)
    exact = retrieval.FlatIndex(vectors[0]).search(vectors[1], 10).ids
    for width in (10, 20, 40):
        theirs.hnsw.efSearch = width
        faiss.cvar.hnsw_stats.reset()
        _, ids = theirs.search(vectors[1].numpy(), 10)
        their_work = faiss.cvar.hnsw_stats.ndis / len(vectors[1])
        found = ours.search(vectors[1], 10, width)
        difference = retrieval.recall_of_neighbours(
            found.ids, exact
        ) - retrieval.recall_of_neighbours(torch.from_numpy(ids), exact)
        assert abs(difference) < 0.02
        assert found.compared.float().mean().item() == pytest.approx(
            their_work, rel=0.15
        )


# qdrant-client leaves a database in memory open, which Python 3.13 reports.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <sqlite3.Connection"
    ":pytest.PytestUnraisableExceptionWarning"
)
def test_store_equals_qdrant(vectors, tmp_path):
    from qdrant_client import QdrantClient, models

    points, queries = vectors[0][:150], vectors[1][:50]
    sources = ["even" if number % 2 == 0 else "odd" for number in range(150)]
    passages = [
        retrieval.Passage(f"text {number}", source)
        for number, source in enumerate(sources)
    ]

    store = retrieval.PassageStore(tmp_path / "ours.sqlite", width=32)
    numbers = store.add(passages, points)
    client = QdrantClient(path=str(tmp_path / "theirs"))
    client.create_collection(
        "passages",
        vectors_config=models.VectorParams(size=32, distance=models.Distance.COSINE),
    )
    client.upsert(
        "passages",
        points=[
            models.PointStruct(
                id=number, vector=vector.tolist(), payload={"source": passage.source}
            )
            for number, vector, passage in zip(numbers, points, passages, strict=True)
        ],
    )
    value = models.MatchValue(value="even")
    even = models.Filter(must=[models.FieldCondition(key="source", match=value)])

    def compare():
        for query in queries:
            for chosen, condition in ((None, None), (["even"], even)):
                ours = [hit.id for hit in store.search_vectors(query, 5, chosen)]
                theirs = client.query_points(
                    "passages", query=query.tolist(), query_filter=condition, limit=5
                )
                assert ours == [point.id for point in theirs.points]

    compare()
    gone = numbers[::3]
    store.delete(gone)
    client.delete("passages", points_selector=gone)
    store.close()
    client.close()
    store = retrieval.PassageStore(tmp_path / "ours.sqlite", width=32)
    client = QdrantClient(path=str(tmp_path / "theirs"))
    compare()
    store.close()
    client.close()


def test_ranking_and_roc_equal_scikit_learn():
    from sklearn.metrics import ndcg_score, roc_auc_score
    from sklearn.metrics import roc_curve as sklearn_roc_curve

    generator = torch.Generator().manual_seed(0)
    gains = torch.randint(0, 4, (20, 30), generator=generator)
    scores = torch.randn(20, 30, generator=generator)
    rankings = scores.argsort(dim=1, descending=True).tolist()
    ours = ndcg_at_k(rankings, [dict(enumerate(row)) for row in gains.tolist()], k=10)
    assert np.mean(ours) == pytest.approx(
        ndcg_score(gains.numpy(), scores.numpy(), k=10)
    )

    rough = scores.flatten().round(decimals=1)  # with many ties
    positive = (rough + torch.randn(600, generator=generator)) > 0.5
    assert auroc(rough, positive) == pytest.approx(
        roc_auc_score(positive.numpy(), rough.numpy())
    )
    false, true, thresholds = sklearn_roc_curve(
        positive.numpy(), rough.numpy(), drop_intermediate=False
    )
    curve = roc_curve(rough, positive)
    assert np.allclose(curve.false_positive_rate, false)
    assert np.allclose(curve.true_positive_rate, true)
    assert np.allclose(curve.thresholds[1:], thresholds[1:])
