import random

import pytest
import torch

from benchmarks.interpretability import both_found, look, partners, sums_before_a_digit
from genai_tutorial.interpretability import AttentionOnly
from genai_tutorial.runtime import record
from genai_tutorial.tasks.arithmetic import ARITHMETIC_TOKENIZER


def test_partners_have_other_answers_and_every_row_is_one():
    answers = [1, 1, 2, 2, 3, 3]
    order = partners(answers, random.Random(0))
    assert sorted(order) == list(range(6))
    assert all(answers[a] != answers[b] for a, b in enumerate(order))


def test_truth_of_the_sums_is_the_two_ones_digits():
    ids, answers, truth, _ = sums_before_a_digit(50, seed=3)
    for row, answer, (total, third) in zip(
        ids.tolist(), answers.tolist(), truth.tolist(), strict=True
    ):
        text = ARITHMETIC_TOKENIZER.decode(row)
        numbers = [int(n) for n in text.split("=")[0].split("+")]
        assert int(text[total]) == (numbers[0] + numbers[1]) % 10
        assert int(text[third]) == numbers[2] % 10
        said = int(ARITHMETIC_TOKENIZER.decode([answer]))
        assert said == (int(text[total]) + int(text[third])) % 10


def test_both_found_needs_both():
    truth = torch.tensor([[0, 3], [0, 3]])
    scores = torch.tensor([[0.9, 0.1, 0.2, 0.8], [0.9, 0.8, 0.2, 0.1]])
    assert both_found(scores, truth) == (0.5, 0.75)


def test_look_adds_its_paths_up():
    found = look(AttentionOnly(2).requires_grad_(False), seed=2)
    assert found["sum of paths"] == pytest.approx(found["measured"][1], abs=1e-4)
    cut = found["without the first layer in"]
    assert cut["nothing"] == pytest.approx(found["measured"])
    assert cut["keys"] != cut["values"]


def test_record_has_five_seeds_of_every_part():
    runs = record("interpretability")
    parts = ("places", "question", "heads", "tokens", "scratchpad", "paths")
    assert all(list(runs[part]) == list("01234") for part in parts)
