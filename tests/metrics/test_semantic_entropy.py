import math

import pytest

from genai_tutorial.metrics import entropy_of_answers, semantic_entropy
from genai_tutorial.metrics.answers import cluster_meanings


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


def test_meanings_compare_with_the_first_answer_only():
    # "Lima Peru" contains both, but the second joined no group of its own.
    assert cluster_meanings(["Lima", "Lima Peru", "Peru"], contains) == [0, 0, 1]


def test_entropy_needs_an_answer():
    with pytest.raises(ValueError, match="at least one answer"):
        semantic_entropy([], contains)
