"""Fusion: one ranking from several."""

from collections.abc import Hashable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[Hashable]], constant: float | int = 60
) -> dict[Hashable, float]:
    """Return the score of each passage, best first: the sum of 1 / (constant + rank)
    over the rankings that contain it, where the first rank is 1.

    It needs no scores, so the methods' scales do not matter.

    Args:
        rankings: For each method the passages that it found, best first.
        constant: The larger it is, the less the first ranks count.

    Raises:
        ValueError: If a ranking has a passage twice, or the constant is negative.

    Source: Cormack, Clarke and Buettcher, Reciprocal Rank Fusion Outperforms Condorcet
        and Individual Rank Learning Methods, https://doi.org/10.1145/1571941.1572114

    >>> fused = reciprocal_rank_fusion([["a", "b", "c"], ["b", "d"]], constant=1)
    >>> {passage: round(score, 3) for passage, score in fused.items()}
    {'b': 0.833, 'a': 0.5, 'd': 0.333, 'c': 0.25}
    """
    if constant < 0:
        raise ValueError(f"constant must be 0 or more, got {constant}.")
    scores: dict[Hashable, float] = {}
    for ranking in rankings:
        if len(set(ranking)) < len(ranking):
            raise ValueError("A ranking must not have the same passage twice.")
        for rank, passage in enumerate(ranking, start=1):
            scores[passage] = scores.get(passage, 0.0) + 1 / (constant + rank)
    # Sorting is stable: of equals, the one that was found first comes first.
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))


def weighted_fusion(
    scores: Float[Tensor, "method passage"], weights: Sequence[float | int]
) -> Float[Tensor, "passage"]:
    """Return the weighted mean of the methods' scores, each stretched to the range from
    0 to 1.

    Args:
        scores: Each method's score of every passage. A method that gives all the same
            score counts as 0 everywhere.

    Raises:
        ValueError: If there is not one weight for each method, one is negative, or all
            are 0.

    >>> weighted_fusion(torch.tensor([[0.0, 8.0, 4.0], [0.3, 0.1, 0.3]]), [1, 3])
    tensor([0.7500, 0.2500, 0.8750])
    """
    if len(weights) != len(scores) or min(weights) < 0 or sum(weights) == 0:
        raise ValueError(
            f"There must be one weight from 0 up for each of {len(scores)} methods, "
            f"and one above 0; got {list(weights)}."
        )
    low, high = scores.amin(dim=1, keepdim=True), scores.amax(dim=1, keepdim=True)
    width = torch.where(high > low, high - low, torch.ones_like(high))
    shares = torch.tensor(weights, dtype=scores.dtype) / sum(weights)
    return shares @ ((scores - low) / width)
