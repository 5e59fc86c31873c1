import jaxtyping
import pytest
import torch

from genai_tutorial.metrics import batch_calibration, contextual_calibration


def biased_scores(labels=2, items=60, seed=0):
    """Scores that rank well, with a preference for the first label, and the answers."""
    generator = torch.Generator().manual_seed(seed)
    answers = torch.arange(items) % labels
    signal = 2 * torch.nn.functional.one_hot(answers, labels)
    noise = 0.3 * torch.randn(items, labels, generator=generator)
    bias = torch.linspace(3, 0, labels)
    common = torch.randn(items, 1, generator=generator)  # a hard question for any label
    return signal + noise + bias + common - 9, answers, bias


def accuracy(scores, answers):
    return float((scores.argmax(dim=1) == answers).float().mean())


@pytest.mark.parametrize("labels", [2, 3])
def test_batch_calibration_removes_a_preference(labels):
    scores, answers, _ = biased_scores(labels)
    assert accuracy(scores, answers) < 0.7
    assert accuracy(batch_calibration(scores), answers) > 0.95


def test_batch_calibration_of_two_labels_is_a_threshold_at_the_median():
    scores, _, _ = biased_scores()
    difference = scores[:, 0] - scores[:, 1]
    expected = (difference < difference.quantile(0.5)).long()
    assert torch.equal(batch_calibration(scores).argmax(dim=1), expected)


def test_batch_calibration_fails_on_unbalanced_batches():
    """It gives half of the items each label, also if nine of ten have the first."""
    scores, answers, _ = biased_scores(items=200)
    rows = torch.cat(
        [(answers == 0).nonzero()[:90, 0], (answers == 1).nonzero()[:10, 0]]
    )
    found = accuracy(batch_calibration(scores[rows]), answers[rows])
    assert found == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("labels", [2, 3])
def test_contextual_calibration_removes_the_bias_of_empty_questions(labels):
    scores, answers, bias = biased_scores(labels)
    calibrated = contextual_calibration(scores, (bias - 7).repeat(3, 1))
    assert accuracy(calibrated, answers) > 0.95


def test_contextual_calibration_by_hand():
    """0.8 and 0.2 divided by 0.9 and 0.1."""
    scores = torch.tensor([[0.8, 0.2]]).log() - 3
    null = torch.tensor([[0.85, 0.15], [0.95, 0.05]]).log()
    expected = torch.tensor([[0.8 / 0.9, 0.2 / 0.1]]).log()
    torch.testing.assert_close(contextual_calibration(scores, null), expected)


def test_calibrations_ignore_what_makes_all_labels_of_an_item_improbable():
    scores, _, bias = biased_scores(3)
    shifted = scores - 5 * torch.rand(60, 1)
    null = bias.repeat(2, 1)
    for calibrate in (batch_calibration, lambda s: contextual_calibration(s, null)):
        torch.testing.assert_close(calibrate(scores), calibrate(shifted))


def test_calibrations_refuse_nothing_to_calibrate_on():
    scores = torch.zeros(2, 2)
    with pytest.raises(ValueError, match="at least one item"):
        batch_calibration(scores[:0])
    with pytest.raises(ValueError, match="null_scores must have"):
        contextual_calibration(scores, scores[:0])
    # the checker of shapes, if it is on, complains first
    with pytest.raises((ValueError, jaxtyping.TypeCheckError), match="null_scores"):
        contextual_calibration(scores, torch.zeros(1, 3))
