"""Passages: what a search returns, and how a longer text is split into them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """A passage of the library.

    Attributes:
        source: Its source, such as a title or an address.
        licence: Under which licence it may be used.
    """

    text: str
    source: str
    licence: str = ""


@dataclass(frozen=True)
class Hit:
    """A passage that was found.

    Attributes:
        score: Its match with the query; higher is better.
    """

    id: int
    passage: Passage
    score: float


@dataclass(frozen=True)
class Chunk:
    """A passage of a longer text, `text[start:end]`."""

    text: str
    start: int
    end: int
    title: str = ""


def chunk_text(text: str, size: int, overlap: int = 0) -> list[Chunk]:
    """Split a text into passages of at most `size` words that overlap.

    Args:
        size: The largest number of words in a passage.
        overlap: The number of words at the end of a passage that the next one repeats,
            so that what is said across a boundary is whole in one of them.

    Raises:
        ValueError: If `overlap` is negative or not below `size`.

    >>> for chunk in chunk_text("one two three four five", size=3, overlap=1):
    ...     print(chunk.text, chunk.start, chunk.end)
    one two three 0 13
    three four five 8 23
    """
    words = [match.span() for match in re.finditer(r"\S+", text)]
    return _join(text, words, size, overlap)


def chunk_sentences(text: str, size: int, title: str = "") -> list[Chunk]:
    """Split a text into passages of whole sentences, of at most `size` words.

    A sentence that is longer than `size` becomes a separate passage.

    Args:
        size: The largest number of words in a passage, at least 1.
        title: Its title, which each passage keeps.

    Raises:
        ValueError: If `size` is below 1.

    >>> text = "It is hot. It rains. We stay."
    >>> [chunk.text for chunk in chunk_sentences(text, size=5)]
    ['It is hot. It rains.', 'We stay.']
    """
    return _join(text, split_sentences(text), size, title=title)


# A full stop, question mark or exclamation mark, possibly inside a closing quotation
# mark or bracket, before a space and a capital letter, a digit or an opening mark.
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]]*(?=\s+[\"'“‘(\[]*[A-Z0-9])|\n\s*\n")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:Mr|Mrs|Ms|Dr|Prof|St|Mt|Jr|Sr|vs|cf|ca|No|Vol|Fig|e\.g|i\.e|etc|"
    r"[A-Z](?:\.[A-Z])*)\.$"
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return where each sentence begins and ends.

    A sentence ends at a full stop, question mark or exclamation mark before a capital
    letter or a digit, or at an empty line, but not after an initial or a common
    abbreviation.

    >>> text = "Mt. Kenya is high. Is it? J. Smith went there."
    >>> [text[start:end] for start, end in split_sentences(text)]
    ['Mt. Kenya is high.', 'Is it?', 'J. Smith went there.']
    """
    ends = [
        match.end()
        for match in _SENTENCE_END.finditer(text)
        if not _ABBREVIATION.search(text[max(0, match.end() - 12) : match.end()])
    ]
    spans, start = [], 0
    for end in [*ends, len(text)]:
        if stripped := text[start:end].strip():
            first = text.index(stripped, start)
            spans.append((first, first + len(stripped)))
        start = end
    return spans


def _join(
    text: str,
    spans: Sequence[tuple[int, int]],
    size: int,
    overlap: int = 0,
    title: str = "",
) -> list[Chunk]:
    """Join neighbouring spans as long as they fit."""
    if not 0 <= overlap < size:
        raise ValueError(
            "size must be at least 1, and overlap at least 0 and below size; got "
            f"{size=}, {overlap=}."
        )
    lengths = [len(text[start:end].split()) for start, end in spans]
    chunks, first = [], 0
    while first < len(spans):
        after, total = first + 1, lengths[first]
        while after < len(spans) and total + lengths[after] <= size:
            total += lengths[after]
            after += 1
        start, end = spans[first][0], spans[after - 1][1]
        chunks.append(Chunk(text[start:end], start, end, title))
        if after == len(spans):
            break
        # Step back over what is repeated, as long as something new still fits.
        room = min(overlap, size - lengths[after])
        begun, first, repeated = first, after, 0
        while first - 1 > begun and repeated + lengths[first - 1] <= room:
            first -= 1
            repeated += lengths[first]
    return chunks
