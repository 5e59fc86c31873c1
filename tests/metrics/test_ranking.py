"""ROC curves, ranks of search results, and abstention."""

import pytest
import torch

from genai_tutorial.metrics import (
    auroc,
    risk_coverage,
    roc_curve,
    threshold_at_risk,
    true_positive_rate_at,
)
from genai_tutorial.metrics.ranking import ndcg_at_k

SCORES = torch.tensor([0.9, 0.8, 0.8, 0.4, 0.2])
POSITIVE = torch.tensor([True, True, False, True, False])


def test_auroc_of_chance_and_of_reversed_scores():
    assert auroc(torch.ones(5), POSITIVE) == 0.5
    assert auroc(-SCORES, POSITIVE) == pytest.approx(1 - auroc(SCORES, POSITIVE))


def test_roc_curve_moves_equal_scores_together():
    curve = roc_curve(SCORES, POSITIVE)
    assert curve.thresholds.tolist()[1:] == pytest.approx([0.9, 0.8, 0.4, 0.2])
    assert curve.true_positive_rate.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert curve.false_positive_rate.tolist() == [0, 0, 0.5, 0.5, 1]


def test_true_positive_rate_at_limit():
    assert true_positive_rate_at(SCORES, POSITIVE, 0) == pytest.approx(1 / 3)
    assert true_positive_rate_at(SCORES, POSITIVE, 0.5) == 1


@pytest.mark.parametrize(
    ("scores", "positive", "rate", "message"),
    [
        (SCORES, torch.ones(5, dtype=torch.bool), 0.1, "5 positive of 5"),
        (SCORES * torch.nan, POSITIVE, 0.1, "one is nan"),
        (SCORES, POSITIVE, 1.1, "from 0 to 1, got 1.1"),
    ],
)
def test_roc_rejects_wrong_arguments(scores, positive, rate, message):
    with pytest.raises(ValueError, match=message):
        true_positive_rate_at(scores, positive, rate)


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
        ndcg_at_k(rankings, [dict.fromkeys(right, 1) for right in relevant], k)


CONFIDENCE = torch.tensor([0.25, 0.75, 0.5, 0.75, 0.125])
WRONG = torch.tensor([True, False, False, True, True])


def test_risk_coverage_by_hand():
    curve = risk_coverage(CONFIDENCE, WRONG)
    assert curve.thresholds.tolist() == [0.75, 0.5, 0.25, 0.125]
    assert curve.coverage.tolist() == pytest.approx([0.4, 0.6, 0.8, 1.0])
    assert curve.risk.tolist() == pytest.approx([1 / 2, 1 / 3, 2 / 4, 3 / 5])


def test_area_of_confidence_that_says_nothing_is_the_error():
    assert risk_coverage(torch.ones(5), WRONG).area == pytest.approx(0.6)
    best = risk_coverage(-WRONG.float() - torch.arange(5) / 10, WRONG)
    assert best.area < 0.35


def test_threshold_answers_as_many_as_the_risk_allows():
    assert threshold_at_risk(CONFIDENCE, WRONG, 0.4) == 0.5
    assert threshold_at_risk(CONFIDENCE, WRONG, 0.5) == 0.25
    assert threshold_at_risk(CONFIDENCE, WRONG, 0.1) == float("inf")
    assert threshold_at_risk(CONFIDENCE, WRONG, 1) == 0.125


def test_threshold_is_exact_in_single_precision():
    confidence = torch.tensor([0.3, 0.1])
    threshold = threshold_at_risk(confidence, torch.tensor([False, False]), 0)
    assert (confidence >= threshold).all()


@pytest.mark.parametrize(
    ("confidence", "risk", "message"),
    [
        (CONFIDENCE[:0], 0.1, "at least one question"),
        (CONFIDENCE * torch.nan, 0.1, "5 nan"),
        (CONFIDENCE, -0.1, "risk must be from 0 to 1"),
    ],
)
def test_abstention_rejects_wrong_arguments(confidence, risk, message):
    with pytest.raises(ValueError, match=message):
        threshold_at_risk(confidence, WRONG[: len(confidence)], risk)
