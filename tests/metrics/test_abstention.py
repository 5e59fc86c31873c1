import pytest
import torch

from genai_tutorial.metrics import risk_coverage, threshold_at_risk

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
