import pytest
import torch

from genai_tutorial.metrics import auroc, roc_curve, true_positive_rate_at

SCORES = torch.tensor([0.9, 0.8, 0.8, 0.4, 0.2])
POSITIVE = torch.tensor([True, True, False, True, False])


def test_auroc_is_share_of_ordered_pairs():
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in SCORES[POSITIVE].tolist()
        for low in SCORES[~POSITIVE].tolist()
    ]
    assert auroc(SCORES, POSITIVE) == pytest.approx(sum(pairs) / len(pairs))


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
