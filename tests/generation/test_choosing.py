"""Choosing among several answers, and what it costs."""

import math

import pytest

from genai_tutorial.generation import (
    SampledAnswer,
    accuracy_per_tokens,
    best_of_samples,
    self_consistency,
    weighted_vote,
)


def samples_of(*answers, tokens=3):
    return [SampledAnswer(answer, tokens) for answer in answers]


def test_self_consistency_counts_answers_not_texts():
    ways = [SampledAnswer(43, 5, text="16+27"), SampledAnswer(43, 9, text="27+16")]
    chosen = self_consistency([SampledAnswer(44, 2), *ways])
    assert (chosen.answer, chosen.tokens) == (43, 16)
    assert chosen.weight == pytest.approx(2 / 3)


@pytest.mark.parametrize("answers", [(2, 1, 1, 2), (2, 1), (2, None, 1)])
def test_self_consistency_tie_goes_to_the_first_answer(answers):
    assert self_consistency(samples_of(*answers)).answer == 2


def test_self_consistency_ignores_samples_without_an_answer():
    chosen = self_consistency(samples_of(None, None, None, 5))
    assert (chosen.answer, chosen.tokens, chosen.weight) == (5, 12, 1.0)


def test_self_consistency_without_any_answer():
    chosen = self_consistency(samples_of(None, None))
    assert (chosen.answer, chosen.tokens, chosen.weight) == (None, 6, 0.0)


def test_weighted_vote_can_overrule_the_majority():
    samples = [SampledAnswer(a, 3, p) for a, p in ((7, -0.1), (8, -3.0), (8, -3.0))]
    assert self_consistency(samples).answer == 8
    assert weighted_vote(samples, lambda sample: math.exp(sample.log_prob)).answer == 7


def test_weighted_vote_with_weights_of_zero():
    chosen = weighted_vote(samples_of(4, 5), lambda sample: 0.0)
    assert (chosen.answer, chosen.weight) == (4, 0.0)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_weighted_vote_rejects_weights(weight):
    with pytest.raises(ValueError, match="A weight must be a number from 0 up"):
        weighted_vote(samples_of(1), lambda sample: weight)


def test_best_of_samples_takes_the_first_of_equal_scores():
    samples = [SampledAnswer(1, 3, -2.0), SampledAnswer(2, 3, -1.0)]
    assert best_of_samples(samples, lambda sample: sample.log_prob).answer == 2
    assert best_of_samples(samples, lambda sample: 0.0).answer == 1


@pytest.mark.parametrize(
    "choose", [self_consistency, lambda samples: best_of_samples(samples, len)]
)
def test_choices_need_a_sample(choose):
    with pytest.raises(ValueError, match="at least one sample"):
        choose([])


def test_accuracy_per_tokens_splits_samples_into_groups():
    samples = [samples_of(1, 1, 2, 2), samples_of(3, 3, 3, 3)]
    points = accuracy_per_tokens(samples, [1, 3], self_consistency, [1, 2, 4])
    assert [point.accuracy for point in points] == [0.75, 0.75, 1.0]
    assert [point.tokens for point in points] == [3.0, 6.0, 12.0]
    assert [point.n for point in points] == [1, 2, 4]


def test_best_of_samples_with_a_verifier_equals_any_right_sample():
    samples, truth = samples_of(4, 5, None, 4), 5
    (point,) = accuracy_per_tokens(
        [samples],
        [truth],
        lambda row: best_of_samples(row, lambda sample: float(sample.answer == truth)),
        [4],
    )
    assert point.accuracy == float(any(s.answer == truth for s in samples))


def test_accuracy_per_tokens_rejects_uneven_rows_and_counts():
    with pytest.raises(ValueError, match="equally many samples"):
        accuracy_per_tokens(
            [samples_of(1), samples_of(1, 2)], [1, 1], self_consistency, [1]
        )
    with pytest.raises(ValueError, match="from 1 to 2"):
        accuracy_per_tokens([samples_of(1, 2)], [1], self_consistency, [3])
