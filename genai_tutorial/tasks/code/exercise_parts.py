"""The parts of the generated exercises: conditions, transformations and reductions of
lists of whole numbers and lists of words.

Each part says the same thing three times: as a phrase of the docstring, as Python code,
and as a function that computes the expected result, so that no text is ever evaluated.
`{k}` in a phrase or in code stands for a whole number, `{c}` for a letter.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from genai_tutorial.tasks import read_words

ExerciseKind = Literal["number", "text"]


@dataclass(frozen=True)
class Constants:
    """The number and the letter that an exercise mentions."""

    k: int
    c: str


@dataclass(frozen=True)
class PartCondition:
    """The condition that selects items.

    Attributes:
        before: The phrase before the noun, such as "even".
        after: The phrase after the noun, such as "greater than {k}".
        code: The condition on `x`; empty if all items are kept.
    """

    before: str
    after: str
    code: str
    keeps: Callable[[Any, Constants], bool] = field(compare=False)


@dataclass(frozen=True)
class Transformation:
    """The transformation of each item.

    Attributes:
        of: The phrase before the items, such as "the squares of".
        do: The phrase as an instruction, such as "square them".
    """

    of: str
    do: str
    code: str
    gives: ExerciseKind
    apply: Callable[[Any, Constants], Any] = field(compare=False)


@dataclass(frozen=True)
class Reduction:
    """The reduction of the list of results.

    Attributes:
        phrase: The phrase of the docstring, such as "the sum of".
    """

    phrase: str
    code: str
    apply: Callable[[list, Constants], Any] = field(compare=False)


_COMPUTES: dict[str, Callable] = {
    "": lambda x, _: True,
    "x % 2 == 0": lambda x, _: x % 2 == 0,
    "x % 2 == 1": lambda x, _: x % 2 == 1,
    "x > 0": lambda x, _: x > 0,
    "x < 0": lambda x, _: x < 0,
    "x > {k}": lambda x, a: x > a.k,
    "x < {k}": lambda x, a: x < a.k,
    "x <= {k}": lambda x, a: x <= a.k,
    "x % {k} == 0": lambda x, a: x % a.k == 0,
    "x != {k}": lambda x, a: x != a.k,
    "x": lambda x, _: x,
    "x * x": lambda x, _: x * x,
    "abs(x)": lambda x, _: abs(x),
    "-x": lambda x, _: -x,
    "x * {k}": lambda x, a: x * a.k,
    "x + {k}": lambda x, a: x + a.k,
    "{k} - x": lambda x, a: a.k - x,
    "x % {k}": lambda x, a: x % a.k,
    "abs(x) % 10": lambda x, _: abs(x) % 10,
    "str(x)": lambda x, _: str(x),
    "len(x) > {k}": lambda x, a: len(x) > a.k,
    "len(x) <= {k}": lambda x, a: len(x) <= a.k,
    "len(x) == {k}": lambda x, a: len(x) == a.k,
    '"{c}" in x': lambda x, a: a.c in x,
    '"{c}" not in x': lambda x, a: a.c not in x,
    'x.startswith("{c}")': lambda x, a: x.startswith(a.c),
    'x.endswith("{c}")': lambda x, a: x.endswith(a.c),
    "x.upper()": lambda x, _: x.upper(),
    "x[::-1]": lambda x, _: x[::-1],
    "x[0]": lambda x, _: x[0],
    "x[-1]": lambda x, _: x[-1],
    "x[:{k}]": lambda x, a: x[: a.k],
    "len(x)": lambda x, _: len(x),
    'x.count("{c}")': lambda x, a: x.count(a.c),
    "len(values)": lambda v, _: len(v),
    "len(set(values))": lambda v, _: len(set(v)),
    "sorted(values)": lambda v, _: sorted(v),
    "values[::-1]": lambda v, _: v[::-1],
    "values[:{k}]": lambda v, a: v[: a.k],
    "values[::2]": lambda v, _: v[::2],
    "sum(values)": lambda v, _: sum(v),
    "max(values, default=0)": lambda v, _: max(v, default=0),
    "min(values, default=0)": lambda v, _: min(v, default=0),
    "max(values, default=0) - min(values, default=0)": lambda v, _: (
        max(v, default=0) - min(v, default=0)
    ),
    '"".join(values)': lambda v, _: "".join(v),
    '"{c}".join(values)': lambda v, a: a.c.join(v),
    'max(values, key=len, default="")': lambda v, _: max(v, key=len, default=""),
    "sum(map(len, values))": lambda v, _: sum(map(len, v)),
}
"""The function for each piece of code; nothing is ever evaluated from text."""


def _parts(kind: type, rows: list[str]) -> tuple:
    """Read parts from lines such as "the squares of | square them | x * x | number"."""
    parts = []
    for row in rows:
        values = ["" if value == "-" else value for value in row.split(" | ")]
        parts.append(kind(*values, _COMPUTES[values[1 if kind is Reduction else 2]]))
    return tuple(parts)


_ROWS = read_words("code", "exercise_parts")
NUMBER_CONDITIONS = _parts(PartCondition, _ROWS[0])
NUMBER_TRANSFORMATIONS = _parts(Transformation, _ROWS[1])
WORD_CONDITIONS = _parts(PartCondition, _ROWS[2])
WORD_TRANSFORMATIONS = _parts(Transformation, _ROWS[3])
NUMBER_REDUCTIONS = _parts(Reduction, _ROWS[4] + _ROWS[5])
TEXT_REDUCTIONS = _parts(Reduction, _ROWS[4] + _ROWS[6])
