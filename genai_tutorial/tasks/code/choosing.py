"""Choosing one of several programs without knowing the right answers: by tests that the
model wrote itself, by agreement, or by both.
"""

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor


@dataclass(frozen=True)
class WrittenTest:
    """A test that a model wrote: an input and the answer that it expects.

    Attributes:
        items: The list that the function is called with.
        expected: How Python shows the expected answer, its `repr`.
    """

    items: list
    expected: str


def read_test(line: str, name: str) -> WrittenTest | None:
    """Read a line such as `assert solve([3, -4]) == 9`; None if it has another form.

    Only literals are read, and nothing is evaluated.

    >>> read_test("assert solve([3, -4]) == 9", "solve")
    WrittenTest(items=[3, -4], expected='9')
    >>> read_test("assert solve(open('x')) == 9", "solve") is None
    True
    """
    try:
        (statement,) = ast.parse(line).body
        comparison = statement.test
        (operator,) = comparison.ops
        (right,) = comparison.comparators
        (argument,) = comparison.left.args
        called = comparison.left.func.id
        items, expected = ast.literal_eval(argument), ast.literal_eval(right)
    except (AttributeError, MemoryError, SyntaxError, TypeError, ValueError):
        return None
    well_formed = (
        isinstance(statement, ast.Assert)
        and isinstance(operator, ast.Eq)
        and called == name
        and isinstance(items, list)
    )
    return WrittenTest(items, repr(expected)) if well_formed else None


def choose_by_tests(passed: Bool[Tensor, "sample test"]) -> int:
    """Return the index of the first program that passes the most tests."""
    return int(passed.sum(dim=1).argmax())


def choose_by_codet(passed: Bool[Tensor, "sample test"]) -> int:
    """Return the first program of the best consensus set.

    Programs that pass exactly the same tests form a set, whose score is the number of
    its programs times the number of tests that they pass. A wrong test is rarely passed
    by many programs, so it counts little.

    Source: Chen et al., CodeT: Code Generation with Generated Tests, section 2,
        https://arxiv.org/abs/2207.10397

    >>> import torch
    >>> passed = torch.tensor([[1, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]).bool()
    >>> choose_by_tests(passed), choose_by_codet(passed)
    (0, 1)
    """
    rows = [tuple(row) for row in passed.tolist()]
    sizes = Counter(rows)
    scores = [sizes[row] * sum(row) for row in rows]
    return scores.index(max(scores))


def choose_by_vote(answers: Sequence[Sequence[str]]) -> int:
    """Return the first program whose answers to some inputs are the most frequent; no
    test is needed.

    Args:
        answers: Each program's answers to the same inputs.

    >>> choose_by_vote([["1", "2"], ["1", "3"], ["1", "3"]])
    1
    """
    rows = [tuple(row) for row in answers]
    most_frequent = Counter(rows).most_common(1)[0][0]
    return rows.index(most_frequent)
