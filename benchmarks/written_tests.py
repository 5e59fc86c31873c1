"""Tests that a code model writes itself, choosing a program by vote, and repairs."""

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from genai_tutorial.alignment import Example, Rows, pack_examples
from genai_tutorial.tasks.code import END, Failure
from genai_tutorial.tokenization import BPETokenizer


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


def choose_by_vote(answers: Sequence[Sequence[str]]) -> int:
    """Return the first program whose answers to some inputs are the most frequent; no
    test is needed.

    >>> choose_by_vote([["1", "2"], ["1", "3"], ["1", "3"]])
    1
    """
    rows = [tuple(row) for row in answers]
    most_frequent = Counter(rows).most_common(1)[0][0]
    return rows.index(most_frequent)


def encode_repairs(
    tokenizer: BPETokenizer, failures: Sequence[Failure], length: int
) -> Rows:
    """Encode failures, each followed by the right body; only that is an answer.

    Args:
        failures: Failures of the model that is to be trained.
        length: The number of tokens in a row; longer examples are left out.
    """
    end = tokenizer.special_tokens[END]
    examples = [
        Example(
            (end, *tokenizer.encode(failure.prompt, special_as_text=True)),
            (*tokenizer.encode(failure.exercise.body), end),
        )
        for failure in failures
    ]
    return pack_examples([found for found in examples if len(found) <= length], length)
