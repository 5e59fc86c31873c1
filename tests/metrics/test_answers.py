"""Measures of several answers to the same question."""

import math
from statistics import mean

import jaxtyping
import pytest
import torch

from genai_tutorial.metrics import (
    batch_calibration,
    bootstrap_interval,
    contextual_calibration,
    entropy_of_answers,
    pass_at_k,
    pass_at_k_table,
    semantic_entropy,
    winners_curse,
)
from genai_tutorial.metrics.answers import cluster_meanings


def test_pass_at_k_of_thousands_of_samples_stays_finite():
    assert pass_at_k(20_000, 1, 10_000) == pytest.approx(0.5)
    assert pass_at_k(20_000, 0, 10_000) == 0.0


def test_pass_at_k_is_unbiased_where_the_plug_in_estimate_is_low():
    """Average over many sets of ten samples, right 20% of the time each."""
    generator = torch.Generator().manual_seed(0)
    right = (torch.rand(20_000, 10, generator=generator) < 0.2).sum(dim=1).tolist()
    truth = 1 - 0.8**5
    unbiased = mean(pass_at_k(10, correct, 5) for correct in right)
    plug_in = mean(1 - (1 - correct / 10) ** 5 for correct in right)
    assert unbiased == pytest.approx(truth, abs=0.01)
    assert plug_in < truth - 0.05


@pytest.mark.parametrize(
    ("samples", "correct", "k", "words"),
    [
        (5, 6, 1, "correct must be from 0 to the 5 samples, got 6"),
        (5, -1, 1, "correct must be from 0"),
        (5, 2, 6, "draw at least 6 samples"),
        (5, 2, 0, "k must be from 1"),
    ],
)
def test_pass_at_k_rejects_impossible_counts(samples, correct, k, words):
    with pytest.raises(ValueError, match=words):
        pass_at_k(samples, correct, k)


def test_pass_at_k_table_resamples_problems_not_samples():
    passed = [[True] * 9 + [False], [False] * 20, [True, False] * 5]
    table = pass_at_k_table(passed, ks=[1, 5])
    assert list(table) == [1, 5]
    assert table[1] == bootstrap_interval([0.9, 0.0, 0.5])
    assert table[1].mean < table[5].mean
    with pytest.raises(ValueError, match="draw at least 11 samples"):
        pass_at_k_table(passed, ks=[11])


def coins(candidates, items, p=0.5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(candidates, items, generator=generator) < p


def test_winners_curse_of_equally_good_candidates_is_all_luck():
    curse = winners_curse(coins(20, 400), development=10, splits=300)
    assert curse.held_out == pytest.approx(curse.average, abs=0.02)
    assert curse.gap > 0.2


def test_winners_curse_shrinks_with_more_development_items():
    gaps = [
        winners_curse(coins(20, 400), development, splits=300).gap
        for development in (5, 20, 100)
    ]
    assert gaps[0] > gaps[1] + 0.1 > gaps[2] + 0.2


def test_winners_curse_finds_a_much_better_candidate():
    right = torch.cat((coins(9, 200, 0.3), coins(1, 200, 0.9, seed=1)))
    curse = winners_curse(right, development=40, splits=300)
    assert curse.held_out == pytest.approx(0.9, abs=0.03)
    assert curse.best == pytest.approx(curse.held_out, abs=0.01)
    assert curse.average < 0.45
    assert abs(curse.gap) < 0.03


def test_winners_curse_draws_among_equal_scores():
    """Two candidates, each right on one half: the first must not win every tie."""
    right = torch.tensor([[True, True, False, False], [False, False, True, True]])
    curse = winners_curse(right, development=2, splits=2000)
    # a split takes two of one half (1/3) or one of each (2/3), a tie
    assert curse.promised == pytest.approx(1 / 3 + 2 / 3 / 2, abs=0.03)
    assert curse.held_out == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize(
    ("candidates", "development", "splits"),
    [(0, 5, 9), (3, 0, 9), (3, 30, 9), (3, 5, 0)],
)
def test_winners_curse_refuses(candidates, development, splits):
    with pytest.raises(ValueError, match="at least one item on both sides"):
        winners_curse(coins(candidates, 30), development, splits)


def contains(a, b):
    return a.lower() in b.lower() or b.lower() in a.lower()


def test_entropy_of_equal_and_of_different_answers():
    assert entropy_of_answers(["x"] * 4) == 0
    assert entropy_of_answers(list("abcd")) == pytest.approx(math.log(4))


def test_semantic_entropy_ignores_wording():
    answers = ["Lima", "It is Lima.", "Cusco", "lima"]
    assert cluster_meanings(answers, contains) == [0, 0, 1, 0]
    expected = -(3 / 4) * math.log(3 / 4) - (1 / 4) * math.log(1 / 4)
    assert semantic_entropy(answers, contains) == pytest.approx(expected)
    assert semantic_entropy(answers, contains) < entropy_of_answers(answers)

    # "Lima Peru" contains both others, but only the first answer of a meaning counts.
    assert cluster_meanings(["Lima", "Lima Peru", "Peru"], contains) == [0, 0, 1]


def test_entropy_needs_an_answer():
    with pytest.raises(ValueError, match="at least one answer"):
        semantic_entropy([], contains)


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
