"""Selective answering: what a model gains by declining the questions that it is least
sure of.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class RiskCoverage:
    """Risk and coverage at every threshold of the confidence, from the strictest to the
    most lenient.

    Attributes:
        thresholds: A question is answered if its confidence is at or above the
            threshold.
        coverage: The share of questions that are answered.
        risk: The share of wrong answers among those given.
    """

    thresholds: Float[Tensor, "point"]
    coverage: Float[Tensor, "point"]
    risk: Float[Tensor, "point"]

    @property
    def area(self) -> float:
        """The mean risk over all coverages: lower is better, and a confidence that says
        nothing gives the share of wrong answers.
        """
        steps = self.coverage.diff(prepend=self.coverage.new_zeros(1))
        return (self.risk * steps).sum().item()


def risk_coverage(
    confidence: Float[Tensor, "question"], wrong: Bool[Tensor, "question"]
) -> RiskCoverage:
    """Return the risk at each coverage if the least confident answers are withheld.

    Args:
        confidence: How sure the model is of each answer; higher is surer.
        wrong: Whether each answer would be wrong. For a question that has no answer,
            every answer is.

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
    of wrong answers is at most `risk`; infinite if no threshold does.

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
