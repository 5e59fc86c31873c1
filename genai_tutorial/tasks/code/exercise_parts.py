"""The parts of the generated exercises: conditions, transformations and reductions of
lists of whole numbers and lists of words.

Each part says the same thing three times: as a phrase of the docstring, as Python code,
and as a function that computes the expected result, so that no text is ever evaluated.
`{k}` in a phrase or in code stands for a whole number, `{c}` for a letter.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["number", "text"]


@dataclass(frozen=True)
class Constants:
    """The number and the letter that an exercise mentions."""

    k: int
    c: str


@dataclass(frozen=True)
class Condition:
    """Which items are kept.

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
    """What is done to each item.

    Attributes:
        of: The phrase before the items, such as "the squares of".
        do: The phrase as an instruction, such as "square them".
    """

    of: str
    do: str
    code: str
    gives: Kind
    apply: Callable[[Any, Constants], Any] = field(compare=False)


@dataclass(frozen=True)
class Reduction:
    """What is made of the list of results.

    Attributes:
        phrase: The phrase of the docstring, such as "the sum of".
    """

    phrase: str
    code: str
    apply: Callable[[list, Constants], Any] = field(compare=False)


NUMBER_CONDITIONS = (
    Condition("", "", "", lambda x, _: True),
    Condition("even", "", "x % 2 == 0", lambda x, _: x % 2 == 0),
    Condition("odd", "", "x % 2 == 1", lambda x, _: x % 2 == 1),
    Condition("positive", "", "x > 0", lambda x, _: x > 0),
    Condition("negative", "", "x < 0", lambda x, _: x < 0),
    Condition("", "greater than {k}", "x > {k}", lambda x, a: x > a.k),
    Condition("", "less than {k}", "x < {k}", lambda x, a: x < a.k),
    Condition("", "of at most {k}", "x <= {k}", lambda x, a: x <= a.k),
    Condition("", "divisible by {k}", "x % {k} == 0", lambda x, a: x % a.k == 0),
    Condition("", "other than {k}", "x != {k}", lambda x, a: x != a.k),
)

NUMBER_TRANSFORMATIONS = (
    Transformation("", "", "x", "number", lambda x, _: x),
    Transformation(
        "the squares of", "square them", "x * x", "number", lambda x, _: x * x
    ),
    Transformation(
        "the absolute values of",
        "take their absolute values",
        "abs(x)",
        "number",
        lambda x, _: abs(x),
    ),
    Transformation(
        "the negatives of", "change their signs", "-x", "number", lambda x, _: -x
    ),
    Transformation(
        "{k} times", "multiply them by {k}", "x * {k}", "number", lambda x, a: x * a.k
    ),
    Transformation(
        "{k} plus", "add {k} to them", "x + {k}", "number", lambda x, a: x + a.k
    ),
    Transformation(
        "{k} minus",
        "subtract them from {k}",
        "{k} - x",
        "number",
        lambda x, a: a.k - x,
    ),
    Transformation(
        "the remainders modulo {k} of",
        "take them modulo {k}",
        "x % {k}",
        "number",
        lambda x, a: x % a.k,
    ),
    Transformation(
        "the last digits of",
        "take their last digits",
        "abs(x) % 10",
        "number",
        lambda x, _: abs(x) % 10,
    ),
    Transformation(
        "the decimal notation of",
        "write them as text",
        "str(x)",
        "text",
        lambda x, _: str(x),
    ),
)

WORD_CONDITIONS = (
    Condition("", "", "", lambda x, _: True),
    Condition("", "longer than {k} letters", "len(x) > {k}", lambda x, a: len(x) > a.k),
    Condition(
        "", "of at most {k} letters", "len(x) <= {k}", lambda x, a: len(x) <= a.k
    ),
    Condition("", "of {k} letters", "len(x) == {k}", lambda x, a: len(x) == a.k),
    Condition("", 'containing "{c}"', '"{c}" in x', lambda x, a: a.c in x),
    Condition("", 'without "{c}"', '"{c}" not in x', lambda x, a: a.c not in x),
    Condition(
        "", 'starting with "{c}"', 'x.startswith("{c}")', lambda x, a: x.startswith(a.c)
    ),
    Condition(
        "", 'ending with "{c}"', 'x.endswith("{c}")', lambda x, a: x.endswith(a.c)
    ),
)

WORD_TRANSFORMATIONS = (
    Transformation("", "", "x", "text", lambda x, _: x),
    Transformation(
        "the capitals of",
        "capitalize them",
        "x.upper()",
        "text",
        lambda x, _: x.upper(),
    ),
    Transformation(
        "the reversals of", "reverse them", "x[::-1]", "text", lambda x, _: x[::-1]
    ),
    Transformation(
        "the first letters of",
        "take their first letters",
        "x[0]",
        "text",
        lambda x, _: x[0],
    ),
    Transformation(
        "the last letters of",
        "take their last letters",
        "x[-1]",
        "text",
        lambda x, _: x[-1],
    ),
    Transformation(
        "the first {k} letters of",
        "cut them after {k} letters",
        "x[:{k}]",
        "text",
        lambda x, a: x[: a.k],
    ),
    Transformation(
        "the lengths of", "take their lengths", "len(x)", "number", lambda x, _: len(x)
    ),
    Transformation(
        'the counts of "{c}" in',
        'count "{c}" in each',
        'x.count("{c}")',
        "number",
        lambda x, a: x.count(a.c),
    ),
)

SEQUENCE_REDUCTIONS = (
    Reduction("the number of", "len(values)", lambda v, _: len(v)),
    Reduction(
        "the number of distinct values in", "len(set(values))", lambda v, _: len(set(v))
    ),
    Reduction("the sorted list of", "sorted(values)", lambda v, _: sorted(v)),
    Reduction("the reversed list of", "values[::-1]", lambda v, _: v[::-1]),
    Reduction("the first {k} of", "values[:{k}]", lambda v, a: v[: a.k]),
    Reduction("every second of", "values[::2]", lambda v, _: v[::2]),
)

NUMBER_REDUCTIONS = (
    *SEQUENCE_REDUCTIONS,
    Reduction("the sum of", "sum(values)", lambda v, _: sum(v)),
    Reduction(
        "the largest of", "max(values, default=0)", lambda v, _: max(v, default=0)
    ),
    Reduction(
        "the smallest of", "min(values, default=0)", lambda v, _: min(v, default=0)
    ),
    Reduction(
        "the range of",
        "max(values, default=0) - min(values, default=0)",
        lambda v, _: max(v, default=0) - min(v, default=0),
    ),
)

TEXT_REDUCTIONS = (
    *SEQUENCE_REDUCTIONS,
    Reduction("the joined text of", '"".join(values)', lambda v, _: "".join(v)),
    Reduction(
        'the "{c}"-separated text of', '"{c}".join(values)', lambda v, a: a.c.join(v)
    ),
    Reduction(
        "the longest of",
        'max(values, key=len, default="")',
        lambda v, _: max(v, key=len, default=""),
    ),
    Reduction(
        "the total length of", "sum(map(len, values))", lambda v, _: sum(map(len, v))
    ),
)
