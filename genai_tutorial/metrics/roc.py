"""The receiver operating characteristic (ROC): how well a score separates two classes,
at every threshold.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class ROCCurve:
    """The rates at every threshold, from the strictest to the most lenient.

    Attributes:
        thresholds: A case counts as positive if its score is at or above the threshold;
            the first is infinite, so that nothing does.
        false_positive_rate: The share of negative cases that count as positive.
        true_positive_rate: The share of positive cases that do.
    """

    thresholds: Float[Tensor, "point"]
    false_positive_rate: Float[Tensor, "point"]
    true_positive_rate: Float[Tensor, "point"]


def roc_curve(
    scores: Float[Tensor, "case"], positive: Bool[Tensor, "case"]
) -> ROCCurve:
    """Return the curve with one point for each distinct score.

    Args:
        scores: Higher for cases that are more likely positive.
        positive: Which cases are positive.

    Raises:
        ValueError: If one of the two classes is empty or a score is not a number.

    Source: Fawcett, An Introduction to ROC Analysis, algorithm 1,
        https://doi.org/10.1016/j.patrec.2005.10.010

    >>> curve = roc_curve(
    ...     torch.tensor([0.9, 0.6, 0.4]), torch.tensor([True, False, True])
    ... )
    >>> curve.false_positive_rate.tolist(), curve.true_positive_rate.tolist()
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
    """
    _check(scores, positive)
    order = scores.argsort(descending=True, stable=True)
    sorted_scores, hits = scores[order].double(), positive[order].double()
    # Equal scores pass the threshold together, so only the last of them is a point.
    last = torch.ones_like(positive)
    last[:-1] = sorted_scores[1:] != sorted_scores[:-1]
    zero = sorted_scores.new_zeros(1)
    return ROCCurve(
        torch.cat((zero + torch.inf, sorted_scores[last])),
        torch.cat((zero, (1 - hits).cumsum(0)[last] / (1 - hits).sum())),
        torch.cat((zero, hits.cumsum(0)[last] / hits.sum())),
    )


def auroc(scores: Float[Tensor, "case"], positive: Bool[Tensor, "case"]) -> float:
    """Return the area under the ROC curve: the probability that a random positive case
    has a higher score than a random negative one, where a tie counts one half.

    0.5 is chance, and 1 is perfect separation.

    Raises:
        ValueError: If one of the two classes is empty or a score is not a number.

    >>> auroc(torch.tensor([0.9, 0.6, 0.4]), torch.tensor([True, False, True]))
    0.5
    """
    curve = roc_curve(scores, positive)
    return torch.trapezoid(curve.true_positive_rate, curve.false_positive_rate).item()


def true_positive_rate_at(
    scores: Float[Tensor, "case"],
    positive: Bool[Tensor, "case"],
    false_positive_rate: float | int,
) -> float:
    """Return the largest true positive rate whose false positive rate is at most the
    given one.

    Raises:
        ValueError: If the rate is not from 0 to 1, one of the two classes is empty, or
            a score is not a number.

    >>> scores = torch.tensor([0.9, 0.6, 0.4])
    >>> true_positive_rate_at(scores, torch.tensor([True, False, True]), 0.1)
    0.5
    """
    if not 0 <= false_positive_rate <= 1:
        raise ValueError(
            f"false_positive_rate must be from 0 to 1, got {false_positive_rate}."
        )
    curve = roc_curve(scores, positive)
    allowed = curve.false_positive_rate <= false_positive_rate
    return curve.true_positive_rate[allowed].max().item()


def _check(scores: Float[Tensor, "case"], positive: Bool[Tensor, "case"]) -> None:
    if positive.all() or not positive.any():
        raise ValueError(
            "There must be positive and negative cases, got "
            f"{int(positive.sum())} positive of {len(positive)}."
        )
    if scores.isnan().any():
        raise ValueError("All scores must be numbers, but one is nan.")
