import pytest

from benchmarks.written_tests import choose_by_vote, read_test


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


def test_vote_compares_whole_lists_of_answers():
    assert choose_by_vote([["1", "1"], ["1", "2"], ["2", "1"], ["1", "2"]]) == 1
    assert choose_by_vote([["1"], ["2"]]) == 0
