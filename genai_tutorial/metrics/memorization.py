"""Verbatim copies: the parts of a generated text that occur word for word in the
training text, found with a suffix array.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CopiedRun:
    """A stretch of a text that occurs in the corpus.

    Attributes:
        start: The index of its first character in the examined text.
        place: The index at which one of its occurrences in the corpus begins.
    """

    text: str
    start: int
    place: int

    def __len__(self) -> int:
        return len(self.text)


class SuffixArray:
    """All suffixes of a corpus in alphabetical order. The occurrences of any text
    are neighbours there, so binary search finds them.

    Building it takes about a second per million characters.

    Args:
        corpus: The training text.

    Raises:
        ValueError: If the corpus is empty.

    Source: Manber and Myers, Suffix Arrays: A New Method for On-Line String Searches
        (1993), https://doi.org/10.1137/0222058; Lee et al., section 4.1,
        https://arxiv.org/abs/2107.06499, for its use on training data

    >>> array = SuffixArray("banana")
    >>> array.order.tolist()  # a, ana, anana, banana, na, nana
    [5, 3, 1, 0, 4, 2]
    >>> array.count("an")
    2
    """

    def __init__(self, corpus: str):
        if not corpus:
            raise ValueError("The corpus must have at least one character, got none.")
        self.corpus = corpus
        self.order = _sorted_suffixes(corpus)

    def count(self, text: str) -> int:
        """Return the number of times that a text occurs in the corpus; occurrences may
        overlap.

        Raises:
            ValueError: If the text is empty.
        """
        if not text:
            raise ValueError("An empty text occurs everywhere: give some characters.")
        start, end = self._bounds(text)
        return end - start

    def longest_run(self, text: str) -> CopiedRun:
        """Return the longest stretch of a text that occurs in the corpus; of equally
        long ones, the first.

        >>> SuffixArray("to be or not to be").longest_run("we are not to blame")
        CopiedRun(text=' not to b', start=6, place=8)
        """
        longest = CopiedRun("", 0, 0)
        for start in range(len(text)):
            # Only a stretch that is longer than the best so far is of interest.
            place = self._find(text[start : start + len(longest) + 1])
            while place is not None and start + len(longest) < len(text):
                stretch = text[start : start + len(longest) + 1]
                longest = CopiedRun(stretch, start, place)
                place = self._find(text[start : start + len(longest) + 1])
        return longest

    def copied_share(self, text: str, length: int) -> float:
        """Return the share of a text's characters that lie in a stretch of at least
        `length` characters that occurs in the corpus.

        Raises:
            ValueError: If `length` is below 1 or above the length of the text.

        >>> SuffixArray("to be or not to be").copied_share("not so", 4)
        0.6666666666666666
        """
        if not 1 <= length <= len(text):
            raise ValueError(
                f"length must be from 1 to that of the text, {len(text)}, got {length}."
            )
        copied = np.zeros(len(text), dtype=bool)
        for start in range(len(text) - length + 1):
            if self._find(text[start : start + length]) is not None:
                copied[start : start + length] = True
        return float(copied.mean())

    def _find(self, text: str) -> int | None:
        """Return the place of one occurrence, or None."""
        start, end = self._bounds(text)
        return int(self.order[start]) if text and start < end else None

    def _bounds(self, text: str) -> tuple[int, int]:
        def beginning(place) -> str:
            return self.corpus[place : place + len(text)]

        start = bisect_left(self.order, text, key=beginning)
        return start, bisect_right(self.order, text, lo=start, key=beginning)


def longest_copied_run(text: str, corpus: str) -> CopiedRun:
    """Return the longest stretch of a text that occurs in the corpus."""
    return SuffixArray(corpus).longest_run(text)


def _sorted_suffixes(corpus: str) -> np.ndarray:
    """Sort all suffixes by doubling: after each pass they are sorted by twice as many
    of their first characters.
    """
    # surrogatepass: a corpus may contain what no valid text does.
    codes = np.frombuffer(corpus.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    rank = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    length, sorted_by = len(codes), 1
    while True:
        following = np.zeros(length, dtype=np.int64)  # 0: the suffix has ended
        following[:-sorted_by] = rank[sorted_by:] + 1
        pairs = rank * (length + 1) + following
        order = np.argsort(pairs, kind="stable")
        differs = np.diff(pairs[order], prepend=pairs[order[0]]) != 0
        rank[order] = differs.cumsum()
        sorted_by *= 2
        if rank[order[-1]] == length - 1 or sorted_by >= length:
            return order
