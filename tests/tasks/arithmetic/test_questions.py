"""Arithmetic: numbers, the split, formats, the judge, and reports on samples."""

from itertools import permutations

import pytest

from genai_tutorial.generation import SampledAnswer
from genai_tutorial.tasks.arithmetic import (
    ARITHMETIC_TOKENIZER,
    MAX_SUM_TOKENS,
    ArithmeticQuestion,
    backward_scratchpad,
    backwards,
    correct_answers,
    direct,
    encode_examples,
    encode_questions,
    example_rows,
    is_held_out,
    random_products,
    random_sums,
    report_answers,
    sampled_answers,
    scratchpad,
)
from genai_tutorial.tasks.arithmetic import ARITHMETIC_TOKENIZER as TOKENIZER
from genai_tutorial.tasks.arithmetic.questions import final_answer, is_worked
from genai_tutorial.transformer import DecoderConfig, DecoderLM

DRAWS = [random_sums, random_products]


def test_question_partial_results_end_in_the_answer():
    assert ArithmeticQuestion((9, 4, 3)).partial_results() == [13, 16]
    assert ArithmeticQuestion((2, 3, 4), "*").answer == 24


@pytest.mark.parametrize("numbers", [(5,), (), (1, -2)])
def test_question_rejects_too_few_or_negative_numbers(numbers):
    with pytest.raises(ValueError, match=r"at least two numbers"):
        ArithmeticQuestion(numbers)


def test_question_rejects_an_unknown_operation(unchecked):
    with pytest.raises(ValueError, match="operation must be one of"):
        ArithmeticQuestion((1, 2), "/")


def test_split_puts_all_orders_of_the_numbers_into_one_part():
    for question in random_sums(50, seed=0):
        orders = permutations(question.numbers)
        assert not any(is_held_out(ArithmeticQuestion(order)) for order in orders)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("held_out", [True, False])
def test_questions_come_from_the_asked_part(draw, held_out):
    questions = draw(30, seed=1, held_out=held_out)
    assert len(questions) == 30
    assert all(is_held_out(question) == held_out for question in questions)


def test_split_holds_out_about_a_tenth():
    pairs = [(a, b) for a in range(10, 100) for b in range(a, 100)]
    share = sum(is_held_out(ArithmeticQuestion(pair, "*")) for pair in pairs)
    assert 0.08 < share / len(pairs) < 0.12


@pytest.mark.parametrize("draw", DRAWS)
def test_draws_depend_on_the_seed_only(draw):
    assert draw(5, seed=3) == draw(5, seed=3)
    assert draw(5, seed=3) != draw(5, seed=4)


FORMATS = [
    (direct, False, False),
    (backwards, True, False),
    (scratchpad, False, True),
    (backward_scratchpad, True, True),
]


@pytest.mark.parametrize(("write", "is_backward", "worked"), FORMATS)
@pytest.mark.parametrize("draw", DRAWS)
def test_format_is_read_back_as_the_answer(write, is_backward, worked, draw):
    questions = draw(40, seed=0)
    texts = [write(question) for question in questions]
    assert all(correct_answers(questions, texts, backwards=is_backward))
    assert all(is_worked(text) == worked for text in texts)
    assert max(map(len, texts)) < MAX_SUM_TOKENS


def test_scratchpad_of_a_product_adds_up():
    for question in random_products(40, seed=0):
        steps = scratchpad(question).split(";")[0].split(",")
        assert sum(map(int, steps)) == question.answer


def test_scratchpad_of_a_product_needs_two_numbers():
    with pytest.raises(ValueError, match="for two numbers, got 3"):
        scratchpad(ArithmeticQuestion((2, 3, 4), "*"))


@pytest.mark.parametrize(
    "text", ["", ";", "34,511;", "1;2;3", "34,511", "+9", "9 9", "٣", "34;0991"]
)
def test_final_answer_is_none_without_exactly_one_number(text):
    assert final_answer(text, backwards=False) is None


def test_final_answer_of_backward_digits():
    assert final_answer("021", backwards=True) == 120
    assert final_answer("120", backwards=True) is None  # 021 is not how 21 is written
    assert final_answer("0", backwards=True) == 0


def test_a_scratchpad_without_steps_is_not_worked():
    assert not is_worked(";199")


def test_correct_answers_needs_one_answer_for_each_question():
    with pytest.raises(ValueError, match="2 questions and 1 answers"):
        correct_answers(random_sums(2, 0), ["1"], backwards=False)


def test_examples_decode_to_question_and_answer():
    question = ArithmeticQuestion((16, 27, 72, 84))
    (example,) = encode_examples([question], scratchpad)
    assert TOKENIZER.decode(list(example.prompt)) == "16+27+72+84="
    assert TOKENIZER.decode(list(example.answer)) == "43,115;199\n"
    assert encode_questions([question]) == [list(example.prompt)]


def test_example_rows_learn_answers_only():
    rows = example_rows(
        [ArithmeticQuestion((1, 2)), ArithmeticQuestion((10, 2))], direct
    )
    assert rows.is_answer.sum(dim=1).tolist() == [2, 3]


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
