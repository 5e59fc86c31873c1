import pytest
import torch

from benchmarks.search_measures import (
    QuantizedIndex,
    recall_at_k,
    reciprocal_ranks,
    weighted_fusion,
    written_citations,
)
from genai_tutorial.retrieval import FlatIndex, ProductQuantizer, recall_of_neighbours
from tests.retrieval.test_indices import clustered


def test_reranking_mends_quantized_search():
    vectors, queries = clustered()
    exact = FlatIndex(vectors).search(queries, k=10)
    quantizer = ProductQuantizer.fit(vectors, 2, torch.Generator().manual_seed(0), 16)
    index = QuantizedIndex(quantizer, quantizer.encode(vectors), vectors)
    rough, sorted_again = index.search(queries, 10), index.search(queries, 10, 100)
    assert recall_of_neighbours(rough.ids, exact.ids) < 0.9
    assert recall_of_neighbours(sorted_again.ids, exact.ids) > 0.9
    assert (rough.compared == 0).all()
    assert (sorted_again.compared == 100).all()
    with pytest.raises(ValueError, match="0 or at least k"):
        index.search(queries, 10, 9)


def test_weighted_fusion_ignores_scales_and_constant_rows():
    scores = torch.tensor([[1.0, 3.0, 2.0], [7.0, 7.0, 7.0]])
    fused = weighted_fusion(scores, [1, 1])
    torch.testing.assert_close(fused, torch.tensor([0.0, 0.5, 0.25]))
    torch.testing.assert_close(fused, weighted_fusion(scores * 10 - 4, [1, 1]))


@pytest.mark.parametrize("weights", [[1], [1, -1], [0, 0]])
def test_weighted_fusion_rejects_impossible_weights(weights):
    with pytest.raises(ValueError, match="one weight from 0 up for each of 2"):
        weighted_fusion(torch.ones(2, 3), weights)


def test_recall_counts_first_k_only():
    assert recall_at_k([[1, 2, 3]], [{3}], k=2) == [0.0]
    assert recall_at_k([[1, 2, 3]], [{1, 3}], k=3) == [1.0]
    assert recall_at_k([[]], [{1}], k=3) == [0.0]


def test_reciprocal_rank_takes_first_right_result():
    assert reciprocal_ranks([[5, 1, 2], [7]], [{1, 2}, {8}]) == [0.5, 0.0]


def test_written_citations_ignore_years_and_missing_passages():
    assert written_citations("[1998] saw [3] and [0]; see (2).", passages=3) == (3,)
