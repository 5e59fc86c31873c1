"""Decontamination: removing passages of the test data from the training text."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Gram = tuple[str, ...]

_WORD = re.compile(r"\w+")


def word_grams(text: str, length: int = 13) -> set[Gram]:
    """Return all runs of `length` words, ignoring case and punctuation."""
    if length < 1:
        raise ValueError(f"length must be at least 1 word, got {length}.")
    words = [word.lower() for word in _WORD.findall(text)]
    return {
        tuple(words[start : start + length]) for start in range(len(words) - length + 1)
    }


def seen_share(held_out: str, training: Iterable[str], length: int = 13) -> float:
    """Return the fraction of a held-out text's word n-grams that occur in the training
    texts.
    """
    wanted = word_grams(held_out, length)
    if not wanted:
        return 0.0
    return len(
        wanted & set().union(*(word_grams(text, length) for text in training))
    ) / len(wanted)


@dataclass(frozen=True)
class Decontaminator:
    """Removes passages from training documents that also occur in a held-out text. The
    defaults are those of GPT-3.

    Attributes:
        grams: Word n-grams to remove, from `held_out_grams`.
        length: Number of words per n-gram.
        margin: Number of characters to remove on either side.
        shortest: Minimum length in characters of a piece to keep.
        most_pieces: A document that is cut into more pieces is dropped.

    Source: Brown et al., Language Models are Few-Shot Learners, appendix C,
    https://arxiv.org/abs/2005.14165

    >>> guard = Decontaminator(
    ...     held_out_grams(["it was a bright cold day"], 4),
    ...     length=4,
    ...     margin=3,
    ...     shortest=5,
    ... )
    >>> guard.clean("I looked out. It was a bright morning. Then I slept.")
    ['I looked ou', 'rning. Then I slept.']
    """

    grams: frozenset[Gram]
    length: int = 13
    margin: int = 200
    shortest: int = 200
    most_pieces: int = 10

    def __post_init__(self):
        if wrong := next(
            (gram for gram in self.grams if len(gram) != self.length), None
        ):
            raise ValueError(
                f"All grams must have {self.length} words (length), got "
                f"{' '.join(wrong)!r}."
            )

    def clean(self, text: str) -> list[str]:
        """Return the remaining pieces of a document: the whole document, nothing, or
        the pieces between the cuts.
        """
        places = [match.span() for match in _WORD.finditer(text)]
        words = [text[start:end].lower() for start, end in places]
        pieces, begin, found = [], 0, False
        for first in range(len(words) - self.length + 1):
            if tuple(words[first : first + self.length]) in self.grams:
                found = True
                pieces.append(text[begin : max(begin, places[first][0] - self.margin)])
                begin = min(len(text), places[first + self.length - 1][1] + self.margin)
        if not found:
            return [text]
        # nothing is left between overlapping cuts
        pieces = [piece for piece in [*pieces, text[begin:]] if piece]
        return (
            [piece for piece in pieces if len(piece) >= self.shortest]
            if len(pieces) <= self.most_pieces
            else []
        )


def held_out_grams(texts: Iterable[str], length: int = 13) -> frozenset[Gram]:
    """Collect the word n-grams of held-out texts. A text with fewer words than `length`
    has none and is not protected.
    """
    return frozenset().union(*(word_grams(text, length) for text in texts))
