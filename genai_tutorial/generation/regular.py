r"""Regular expressions by derivatives: what may still follow, after each byte.

The derivative of an expression by a byte is the expression for the rest of the texts
that begin with that byte. So a text matches if the derivatives by its bytes, one after
another, lead to an expression that accepts the empty text; and a byte may come next if
the derivative by it is not `NOTHING`. No automaton has to be built in advance: each
expression is a state.
"""

import functools
from collections.abc import Iterable

from .regular_nodes import (
    EMPTY,
    NOTHING,
    ByteSet,
    Choice,
    Regex,
    Repeat,
    Sequence,
    choice,
    sequence,
)


@functools.cache
def derivative(regex: Regex, byte: int) -> Regex:
    """Return the expression for what may follow the byte; `NOTHING` if no text that
    matches begins with it.

    Source: Brzozowski, Derivatives of Regular Expressions, theorem 3.1,
    https://doi.org/10.1145/321239.321249

    >>> from genai_tutorial.generation import parse_regex
    >>> derivative(parse_regex("ab|ac|d"), ord("a")) is parse_regex("b|c")
    True
    """
    match regex:
        case ByteSet(members):
            return EMPTY if members >> byte & 1 else NOTHING
        case Sequence(first, rest):
            after = sequence(derivative(first, byte), rest)
            return choice([after, derivative(rest, byte)]) if first.nullable else after
        case Choice(options):
            return choice(derivative(option, byte) for option in options)
        case Repeat(item):
            return sequence(derivative(item, byte), regex)
    return NOTHING  # nothing may follow the empty text


def advance(regex: Regex, text: Iterable[int]) -> Regex:
    """Return the derivative by each byte of a text, one after another."""
    for byte in text:
        regex = derivative(regex, byte)
    return regex


def matches(regex: Regex, text: bytes) -> bool:
    r"""Return whether the whole text matches.

    >>> from genai_tutorial.generation import parse_regex
    >>> number = parse_regex(r"-?(0|[1-9]\d*)")
    >>> matches(number, b"-120"), matches(number, b"007")
    (True, False)
    """
    return advance(regex, text).nullable
