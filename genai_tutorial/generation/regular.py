r"""Regular expressions by derivatives: what may still follow, after each byte.

A text matches if the derivatives by its bytes, one after another, lead to an expression
that accepts the empty text; and a byte may come next if the derivative by it is not
`NOTHING`. Equal expressions are one object, so that comparing and hashing a large
expression takes no longer than a small one. Models write bytes, so a class such as
`[^"]` is translated into the byte sequences of its characters in UTF-8.
"""

import functools
import re
import re._constants as codes
import re._parser as standard_parser
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False, kw_only=True)
class Regex:
    """A regular expression: a set of texts, each a sequence of bytes.

    Attributes:
        shortest: The shortest text that matches, the first in alphabetical order if
            there are several; None if no text matches.
    """

    shortest: bytes | None

    @property
    def nullable(self) -> bool:
        """True if the empty text matches."""
        return self.shortest == b""


@dataclass(frozen=True, eq=False)
class ByteSet(Regex):
    """Matches any one byte of a set."""

    members: int


@dataclass(frozen=True, eq=False)
class Sequence(Regex):
    """Matches a text of the first expression followed by one of the rest."""

    first: Regex
    rest: Regex


@dataclass(frozen=True, eq=False)
class Choice(Regex):
    """Matches what any of its options matches."""

    options: frozenset[Regex]


@dataclass(frozen=True, eq=False)
class Repeat(Regex):
    """Matches any number of texts of the item, none included (Kleene's star)."""

    item: Regex


NOTHING = Regex(shortest=None)
"""The expression that matches no text: a dead end."""

EMPTY = Regex(shortest=b"")
"""The expression that matches the empty text only: a finished text."""


# Each of these functions returns the same object for the same parts.


@functools.cache
def _byte_set(members: int) -> Regex:
    smallest = (members & -members).bit_length() - 1
    return ByteSet(members, shortest=bytes([smallest]))


@functools.cache
def _sequence(first: Regex, rest: Regex) -> Regex:
    return Sequence(first, rest, shortest=first.shortest + rest.shortest)


@functools.cache
def _choice(options: frozenset[Regex]) -> Regex:
    texts = [option.shortest for option in options]
    return Choice(options, shortest=min(texts, key=lambda text: (len(text), text)))


@functools.cache
def _repeat(item: Regex) -> Regex:
    return Repeat(item, shortest=b"")


def byte_set(members: Iterable[int]) -> Regex:
    """Return the expression for any one of these bytes."""
    bits = sum(1 << byte for byte in set(members))
    return _byte_set(bits) if bits else NOTHING


def sequence(first: Regex, rest: Regex) -> Regex:
    """Return the expression for one text after another."""
    if NOTHING in (first, rest):
        return NOTHING
    if first is EMPTY:
        return rest
    if rest is EMPTY:
        return first
    parts = []
    while isinstance(first, Sequence):  # (a b) c is written a (b c)
        parts.append(first.first)
        first = first.rest
    for part in reversed([*parts, first]):
        rest = _sequence(part, rest)
    return rest


def choice(options: Iterable[Regex]) -> Regex:
    """Return the expression for a text of any of the options; duplicates count once,
    sets of bytes are united.
    """
    others: set[Regex] = set()
    members = 0
    for option in options:
        for part in option.options if isinstance(option, Choice) else [option]:
            if isinstance(part, ByteSet):
                members |= part.members
            elif part is not NOTHING:
                others.add(part)
    if members:
        others.add(_byte_set(members))
    if not others:
        return NOTHING
    return others.pop() if len(others) == 1 else _choice(frozenset(others))


def repeat(item: Regex) -> Regex:
    """Return the expression for any number of texts of the item, none included."""
    if item in (NOTHING, EMPTY):
        return EMPTY
    return item if isinstance(item, Repeat) else _repeat(item)


def optional(item: Regex) -> Regex:
    """Return the expression for a text of the item or none."""
    return item if item.nullable else choice([EMPTY, item])


Ranges = list[tuple[int, int]]
"""Characters, as the first and last number of each range."""

LAST = 0x10FFFF
# Within each range, all characters have the same number of bytes; the gap are the
# surrogates, which UTF-8 leaves out.
_SAME_LENGTH = [
    (0, 0x7F),
    (0x80, 0x7FF),
    (0x800, 0xD7FF),
    (0xE000, 0xFFFF),
    (0x10000, LAST),
]
_DIGIT: Ranges = [(0x30, 0x39)]
_SPACE: Ranges = [(0x09, 0x0D), (0x20, 0x20)]
_WORD: Ranges = [*_DIGIT, (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]


def parse_regex(pattern: str) -> Regex:
    r"""Return the expression for a pattern in Python's syntax.

    Texts match as a whole, as with `re.fullmatch`; the classes `\d`, `\s` and `\w` are
    as in `re.ASCII`. Lazy quantifiers match the same texts as greedy ones.

    Raises:
        ValueError: If the pattern is invalid, or has something that no regular
            expression in the mathematical sense can have, such as a backreference, a
            look-ahead, an anchor inside, or a flag.

    >>> parse_regex("é?").shortest, parse_regex("[^a]").nullable
    (b'', False)
    """
    try:
        parsed = standard_parser.parse(pattern)
    except (re.error, OverflowError) as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    if parsed.state.flags != re.UNICODE:
        raise ValueError(f"The pattern {pattern!r} has flags, which are not supported.")
    return _all_of(list(parsed))


def _all_of(parts: list[tuple[Any, Any]]) -> Regex:
    regex = EMPTY
    for code, value in reversed(parts):
        regex = sequence(_part(code, value), regex)
    return regex


def _part(code: Any, value: Any) -> Regex:
    if code is codes.SUBPATTERN and not value[1] and not value[2]:
        return _all_of(list(value[3]))
    if code is codes.BRANCH:
        return choice(_all_of(list(option)) for option in value[1])
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        return _repeated(*value)
    return _characters(_ranges(code, value))


def _repeated(least: int, most: Any, parts: Any) -> Regex:
    item, regex = _all_of(list(parts)), EMPTY
    if most is codes.MAXREPEAT:
        regex = repeat(item)
    else:
        for _ in range(most - least):
            regex = optional(sequence(item, regex))
    for _ in range(least):
        regex = sequence(item, regex)
    return regex


def _ranges(code: Any, value: Any) -> Ranges:
    """Return the characters that one part of a pattern stands for."""
    if code is codes.LITERAL:
        return [(value, value)]
    if code is codes.NOT_LITERAL:
        return _others([(value, value)])
    if code is codes.RANGE:
        return [value]
    if code is codes.ANY:
        return _others([(0x0A, 0x0A)])
    if code is codes.IN:
        negated = value[0][0] is codes.NEGATE
        ranges = [part for item in value[negated:] for part in _ranges(*item)]
        return _others(ranges) if negated else ranges
    if code is codes.CATEGORY:
        return _CATEGORIES[value]
    raise ValueError(
        f"{str(code).lower()} is not supported: use literals, classes, groups, | and "
        "quantifiers."
    )


def _others(ranges: Ranges) -> Ranges:
    """Return the characters that are in none of the ranges."""
    others, next_free = [], 0
    for first, last in sorted(ranges):
        if first > next_free:
            others.append((next_free, first - 1))
        next_free = max(next_free, last + 1)
    return [*others, (next_free, LAST)] if next_free <= LAST else others


_CATEGORIES = {
    codes.CATEGORY_DIGIT: _DIGIT,
    codes.CATEGORY_NOT_DIGIT: _others(_DIGIT),
    codes.CATEGORY_SPACE: _SPACE,
    codes.CATEGORY_NOT_SPACE: _others(_SPACE),
    codes.CATEGORY_WORD: _WORD,
    codes.CATEGORY_NOT_WORD: _others(_WORD),
}


def _characters(ranges: Ranges) -> Regex:
    """Return the expression for the UTF-8 bytes of any one character."""
    return choice(
        _between(chr(max(first, low)).encode(), chr(min(last, high)).encode())
        for first, last in ranges
        for low, high in _SAME_LENGTH
        if max(first, low) <= min(last, high)
    )


def _between(low: bytes, high: bytes) -> Regex:
    """Return the expression for the UTF-8 characters from one to another of the same
    length.
    """
    if not low:
        return EMPTY
    lowest, highest = b"\x80" * (len(low) - 1), b"\xbf" * (len(low) - 1)
    if low[0] == high[0]:
        return sequence(byte_set([low[0]]), _between(low[1:], high[1:]))
    # The first bytes in the middle allow any continuation; the two at the ends may not.
    first, last = low[0], high[0]
    options = []
    if low[1:] != lowest:
        options.append(sequence(byte_set([first]), _between(low[1:], highest)))
        first += 1
    if high[1:] != highest:
        options.append(sequence(byte_set([last]), _between(lowest, high[1:])))
        last -= 1
    middle = sequence(byte_set(range(first, last + 1)), _between(lowest, highest))
    return choice([*options, middle])


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
