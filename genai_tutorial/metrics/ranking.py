"""Measures of an order: ROC curves of a score, ranks of search results, and the risk
when the least confident answers are withheld.
"""

import math
from collections.abc import Hashable, Mapping, Sequence, Set
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
    """Return the curve with one point for each distinct score, which is higher for
    cases that are more likely positive.

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
    if positive.all() or not positive.any():
        raise ValueError(
            "There must be positive and negative cases, got "
            f"{int(positive.sum())} positive of {len(positive)}."
        )
    if scores.isnan().any():
        raise ValueError("All scores must be numbers, but one is nan.")
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


_Rankings = Sequence[Sequence[Hashable]]  # the results for each query, best first


def ndcg_at_k(
    rankings: _Rankings, gains: Sequence[Mapping[Hashable, float | int]], k: int
) -> list[float]:
    """Return for each query the normalized discounted cumulative gain of the first k
    results: the sum of each result's gain divided by log2(1 + rank), divided by the
    largest sum that any ranking could have.

    Source: Järvelin and Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques,
        section 2, https://doi.org/10.1145/582415.582418
    """
    _check_ranks(rankings, [{r for r in gain if gain[r] > 0} for gain in gains], k)
    scores = []
    for ranking, gain in zip(rankings, gains, strict=True):
        found = _discounted([gain.get(result, 0) for result in ranking[:k]])
        best = _discounted(sorted(gain.values(), reverse=True)[:k])
        scores.append(found / best)
    return scores


def _discounted(gains: Sequence[float | int]) -> float:
    return sum(gain / math.log2(1 + rank) for rank, gain in enumerate(gains, start=1))


def _check_ranks(
    rankings: _Rankings, relevant: Sequence[Set[Hashable]], k: int
) -> None:
    if len(rankings) != len(relevant):
        raise ValueError(
            "Each query needs a ranking and its right results, got "
            f"{len(rankings)} and {len(relevant)}."
        )
    if not all(relevant):
        raise ValueError("Each query needs at least one right result.")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")


@dataclass(frozen=True)
class RiskCoverage:
    """Risk and coverage at every threshold of the confidence, from the strictest to the
    most lenient.

    Attributes:
        thresholds: A question is answered if its confidence is at or above the
            threshold.
        coverage: The share of questions that are answered.
        risk: The share of incorrect answers among those given.
    """

    thresholds: Float[Tensor, "point"]
    coverage: Float[Tensor, "point"]
    risk: Float[Tensor, "point"]

    @property
    def area(self) -> float:
        """The mean risk over all coverages; the share of incorrect answers for an
        uninformative confidence.
        """
        steps = self.coverage.diff(prepend=self.coverage.new_zeros(1))
        return (self.risk * steps).sum().item()


def risk_coverage(
    confidence: Float[Tensor, "question"], wrong: Bool[Tensor, "question"]
) -> RiskCoverage:
    """Return the risk at each coverage if the least confident answers are withheld.

    Args:
        wrong: True for each answer that would be incorrect. For a question that has no
            answer, every answer is.

    Raises:
        ValueError: If there are no questions, or a confidence is not a number.

    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks,
        section 2, https://arxiv.org/abs/1705.08500

    >>> curve = risk_coverage(
    ...     torch.tensor([0.9, 0.7, 0.5, 0.3]), torch.tensor([False, False, True, True])
    ... )
    >>> curve.coverage.tolist(), [round(risk, 2) for risk in curve.risk.tolist()]
    ([0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 0.33, 0.5])
    """
    if len(confidence) == 0 or confidence.isnan().any():
        raise ValueError(
            "There must be at least one question, each with a number as confidence, "
            f"got {len(confidence)} questions and {int(confidence.isnan().sum())} nan."
        )
    order = confidence.argsort(descending=True, stable=True)
    sorted_confidence, errors = confidence[order].double(), wrong[order].double()
    answered = torch.arange(1, len(order) + 1, dtype=torch.float64, device=order.device)
    # Equal confidences pass the threshold together.
    last = torch.ones_like(wrong)
    last[:-1] = sorted_confidence[1:] != sorted_confidence[:-1]
    return RiskCoverage(
        sorted_confidence[last],
        answered[last] / len(order),
        errors.cumsum(0)[last] / answered[last],
    )


def threshold_at_risk(
    confidence: Float[Tensor, "question"],
    wrong: Bool[Tensor, "question"],
    risk: float | int,
) -> float:
    """Return the threshold that answers as many questions as possible while the share
    of incorrect answers is at most `risk`; infinite if no threshold does.

    Choose it on other questions than those that it will be judged on.

    Raises:
        ValueError: If `risk` is not from 0 to 1, there are no questions, or a
            confidence is not a number.

    >>> confidence = torch.tensor([0.9, 0.7, 0.5, 0.3])
    >>> wrong = torch.tensor([False, False, True, True])
    >>> threshold_at_risk(confidence, wrong, risk=0.4)
    0.5
    """
    if not 0 <= risk <= 1:
        raise ValueError(f"risk must be from 0 to 1, got {risk}.")
    curve = risk_coverage(confidence, wrong)
    allowed = curve.thresholds[curve.risk <= risk]
    return allowed.min().item() if len(allowed) else float("inf")
