import pytest
import torch

from genai_tutorial.tasks.code import (
    choose_by_codet,
    choose_by_tests,
    choose_by_vote,
    read_test,
)


def test_read_test_reads_literals():
    test = read_test("assert f(['a', 'b']) == ['b']", "f")
    assert test.items == ["a", "b"]
    assert test.expected == "['b']"
    assert read_test("assert f([]) == -3", "f").expected == "-3"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "assert g([1]) == 2",
        "assert f([1]) != 2",
        "assert f([1]) == 2 == 2",
        "assert f([1], 2) == 2",
        "assert f(1) == 2",
        "assert f([1]) == open('x')",
        "assert f([1]) == 2; f([1])",
        "assert f([1) == 2",
        "f([1]) == 2",
        "assert f([1]) == 08",
        "assert " + "(" * 500 + "f([1])",
    ],
)
def test_read_test_refuses_other_forms(line):
    assert read_test(line, "f") is None


def test_choose_by_tests_takes_the_first_of_equals():
    assert choose_by_tests(torch.tensor([[1, 0], [0, 1], [1, 1], [1, 1]]).bool()) == 2
    assert choose_by_tests(torch.zeros(3, 0).bool()) == 0


def test_codet_prefers_agreement_to_a_single_program_with_more_tests():
    passed = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]).bool()
    assert choose_by_tests(passed) == 0
    assert choose_by_codet(passed) == 1
    assert choose_by_codet(torch.zeros(3, 2).bool()) == 0


def test_vote_compares_whole_lists_of_answers():
    assert choose_by_vote([["1", "1"], ["1", "2"], ["2", "1"], ["1", "2"]]) == 1
    assert choose_by_vote([["1"], ["2"]]) == 0
