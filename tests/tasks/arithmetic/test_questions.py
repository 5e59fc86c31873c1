"""The arithmetic questions and their split."""

from itertools import permutations

import pytest

from genai_tutorial.tasks.arithmetic import (
    ArithmeticQuestion,
    is_held_out,
    random_products,
    random_sums,
)

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
def test_draws_come_from_the_asked_part(draw, held_out):
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


@pytest.mark.parametrize("draw", DRAWS)
def test_draws_reject_a_count_of_zero(draw):
    with pytest.raises(ValueError, match="count must be at least 1"):
        draw(0, seed=0)


def test_sums_reject_a_single_term():
    with pytest.raises(ValueError, match="at least two terms of at least one digit"):
        random_sums(1, 0, terms=1)
