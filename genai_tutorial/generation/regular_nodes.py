"""The parts of regular expressions over bytes, simplified as they are made.

Equal expressions are one object, so that comparing and hashing a large expression takes
no longer than a small one.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass


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
        """Whether the empty text matches."""
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
