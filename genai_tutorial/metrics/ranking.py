"""The quality of rankings: how far up are the right results?

Each function takes one ranking per query, best first, and the set of results that are
right for it.
"""

import math
from collections.abc import Hashable, Mapping, Sequence, Set

Rankings = Sequence[Sequence[Hashable]]


def recall_at_k(
    rankings: Rankings, relevant: Sequence[Set[Hashable]], k: int
) -> list[float]:
    """Return for each query the share of its right results among the first k.

    Args:
        rankings: The results for each query, best first.
        relevant: The right results for each query, at least one.
        k: The number of results that count.

    Raises:
        ValueError: If the numbers of queries differ, a query has no right result, or
            `k` is below 1.

    >>> recall_at_k([["b", "a", "c"], ["a", "b"]], [{"a", "d"}, {"a"}], k=2)
    [0.5, 1.0]
    """
    _check(rankings, relevant, k)
    return [
        len(right.intersection(ranking[:k])) / len(right)
        for ranking, right in zip(rankings, relevant, strict=True)
    ]


def reciprocal_ranks(
    rankings: Rankings, relevant: Sequence[Set[Hashable]]
) -> list[float]:
    """Return for each query 1 divided by the rank of the first right result, or 0 if
    there is none. Their mean is the mean reciprocal rank (MRR).

    Raises:
        ValueError: If the numbers of queries differ or a query has no right result.

    >>> reciprocal_ranks([["b", "a", "c"], ["a"], ["b"]], [{"a", "c"}, {"a"}, {"a"}])
    [0.5, 1.0, 0.0]
    """
    _check(rankings, relevant, 1)
    return [
        next(
            (1 / rank for rank, result in enumerate(ranking, 1) if result in right), 0.0
        )
        for ranking, right in zip(rankings, relevant, strict=True)
    ]


def ndcg_at_k(
    rankings: Rankings, gains: Sequence[Mapping[Hashable, float | int]], k: int
) -> list[float]:
    """Return for each query the normalized discounted cumulative gain of the first k
    results: the sum of each result's gain divided by log2(1 + rank), divided by the
    largest sum that any ranking could have.

    Source: Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques,
        section 2, https://doi.org/10.1145/582415.582418
    """
    _check(rankings, [{r for r in gain if gain[r] > 0} for gain in gains], k)
    scores = []
    for ranking, gain in zip(rankings, gains, strict=True):
        found = _discounted([gain.get(result, 0) for result in ranking[:k]])
        best = _discounted(sorted(gain.values(), reverse=True)[:k])
        scores.append(found / best)
    return scores


def _discounted(gains: Sequence[float | int]) -> float:
    return sum(gain / math.log2(1 + rank) for rank, gain in enumerate(gains, start=1))


def _check(rankings: Rankings, relevant: Sequence[Set[Hashable]], k: int) -> None:
    if len(rankings) != len(relevant):
        raise ValueError(
            "Each query needs a ranking and its right results, got "
            f"{len(rankings)} and {len(relevant)}."
        )
    if not all(relevant):
        raise ValueError("Each query needs at least one right result.")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
