import pytest

from genai_tutorial.metrics import recall_at_k, reciprocal_ranks
from genai_tutorial.metrics.ranking import ndcg_at_k


def test_recall_counts_first_k_only():
    assert recall_at_k([[1, 2, 3]], [{3}], k=2) == [0.0]
    assert recall_at_k([[1, 2, 3]], [{1, 3}], k=3) == [1.0]
    assert recall_at_k([[]], [{1}], k=3) == [0.0]


def test_reciprocal_rank_takes_first_right_result():
    assert reciprocal_ranks([[5, 1, 2], [7]], [{1, 2}, {8}]) == [0.5, 0.0]


def test_ndcg_is_one_for_the_best_order_only():
    gains = {"a": 3, "b": 2, "c": 1}
    best, worse = ndcg_at_k([["a", "b", "c"], ["c", "b", "a"]], [gains, gains], k=3)
    assert best == pytest.approx(1.0)
    assert 0.5 < worse < 0.9
    assert ndcg_at_k([["x", "y"]], [gains], k=2) == [0.0]


@pytest.mark.parametrize(
    ("rankings", "relevant", "k", "message"),
    [
        ([[1]], [], 1, "got 1 and 0"),
        ([[1]], [set()], 1, "at least one right result"),
        ([[1]], [{1}], 0, "k must be at least 1"),
    ],
)
def test_ranking_rejects_wrong_arguments(rankings, relevant, k, message):
    with pytest.raises(ValueError, match=message):
        recall_at_k(rankings, relevant, k)
    with pytest.raises(ValueError, match=message):
        ndcg_at_k(rankings, [dict.fromkeys(right, 1) for right in relevant], k)
