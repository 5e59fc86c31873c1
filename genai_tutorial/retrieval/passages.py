"""Passages with their sources, and what a search returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A passage of the library.

    Attributes:
        source: Where it is from, such as a title or an address.
        licence: Under which licence it may be used.
    """

    text: str
    source: str
    licence: str = ""


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    Attributes:
        score: How well it fits the query; higher is better.
    """

    id: int
    passage: Passage
    score: float
