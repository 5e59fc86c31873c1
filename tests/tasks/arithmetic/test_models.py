"""Sampled answers, and the report on them."""

import pytest

from genai_tutorial.generation import SampledAnswer
from genai_tutorial.tasks.arithmetic import (
    ARITHMETIC_TOKENIZER,
    MAX_SUM_TOKENS,
    ArithmeticQuestion,
    random_sums,
    report_answers,
    sampled_answers,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

QUESTIONS = [ArithmeticQuestion((16, 27)), ArithmeticQuestion((10, 20))]


def row(*texts_and_answers):
    return [SampledAnswer(a, len(t) + 1, 0.0, t) for t, a in texts_and_answers]


def test_report_counts_answers_votes_and_tries():
    samples = [
        row(("34", 43), ("1;34", 43), ("9", 9), ("8", 8)),
        row(("9", 9), ("9", 9), ("1;03", 30), ("", None)),
    ]
    report = report_answers(samples, QUESTIONS)
    assert report.sampled == 3 / 8
    assert report.vote == 0.5
    assert report.worked == 2 / 8
    assert report.tokens == (3 + 5 + 2 + 2 + 2 + 2 + 5 + 1) / 8
    assert report.pass_at == pytest.approx({1: 3 / 8, 2: (5 / 6 + 1 / 2) / 2, 4: 1.0})


def test_report_needs_a_row_for_each_question():
    with pytest.raises(ValueError, match="2 questions and 1 rows"):
        report_answers([row(("34", 43))], QUESTIONS)


def test_sampled_answers_are_groups_that_depend_on_the_seed():
    config = DecoderConfig.fast(ARITHMETIC_TOKENIZER.vocab_size, 40, 16, 1, 2)
    model, questions = DecoderLM(config, seed=0), random_sums(3, 0)
    samples = sampled_answers(model, questions, 4, backwards=True, seed=1)
    assert [len(part) for part in samples] == [4, 4, 4]
    assert samples == sampled_answers(model, questions, 4, backwards=True, seed=1)
    assert samples != sampled_answers(model, questions, 4, backwards=True, seed=2)
    flat = [sample for part in samples for sample in part]
    assert all(1 <= sample.tokens <= MAX_SUM_TOKENS for sample in flat)
    assert all(sample.log_prob < 0 for sample in flat)
