"""The arithmetic model: repeatable training, prompts, and the published weights."""

import dataclasses

import pytest

from genai_tutorial.recipes import ARITHMETIC_REASONER, arithmetic_reasoner, load
from genai_tutorial.recipes.arithmetic_reasoner import held_out_sums, read_sum
from genai_tutorial.tasks.arithmetic import is_held_out
from tests.recipes.spot_check import spot_check, write

TINY = dataclasses.replace(
    ARITHMETIC_REASONER,
    config=dataclasses.replace(ARITHMETIC_REASONER.config, width=16, layers=1),
    questions=60,
    batch_size=4,
    steps=6,
    warmup_steps=1,
)


def test_training_is_repeatable_and_resumed_from_its_checkpoint(resumes):
    resumes(TINY, arithmetic_reasoner, "supervised_loss")


def test_held_out_sums_are_all_from_the_held_out_tenth():
    assert all(is_held_out(question) for question in held_out_sums())


@pytest.mark.parametrize(
    "text", ["", "16", "16-3", "1.5+2", "a+b", "+1", "1++2", "9" * 7]
)
def test_prompt_that_is_not_a_sum_is_rejected(text):
    with pytest.raises(ValueError, match="must be a sum"):
        read_sum(text)


@pytest.mark.slow
def test_published_model_adds_and_shows_its_running_totals():
    assert write("arithmetic-reasoner") == (
        "16+27+72+84=34,511;991\nwith the digits in the usual order: 43,115;199"
    )
    assert write("arithmetic-reasoner", prompt="58 + 67 + 91 + 12").endswith(";228")


@pytest.mark.slow
def test_published_model_is_right_where_a_constant_answer_is_not():
    check = spot_check(ARITHMETIC_REASONER, load("arithmetic-reasoner"), 50, seed=3)
    assert check.interval().low > 0.7
