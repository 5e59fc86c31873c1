"""The sentences of the speech task: captions of scenes, and strings of digits."""

import zlib
from collections.abc import Sequence

import torch

from genai_tutorial.tasks.shapes import all_captions, caption_words, random_scenes

DIGITS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
)
"""The words of digit strings."""

DIGIT_SHARE = 0.2
"""The share of sentences that are strings of digits; the others are captions."""

SPEECH_WORDS = tuple(sorted({*caption_words(), *DIGITS}))
"""All 37 words that are spoken."""

_LEAST, _MOST = 2, 6  # digits in a string


def is_held_out(sentence: str) -> bool:
    """Return whether a sentence is held out for tests: one in eight is, by the checksum
    of its text.
    """
    return zlib.crc32(sentence.encode()) % 8 == 0


def draw_sentences(n: int, seed: int, held_out: bool = False) -> list[str]:
    """Draw sentences: captions of any length, and strings of two to six digits.

    Args:
        n: The number of sentences; a sentence can occur more than once.
        held_out: Whether to draw test sentences rather than training sentences.

    Raises:
        ValueError: If `n` is below 1.

    >>> draw_sentences(1, seed=1)
    ['a green circle right of a green circle']
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    generator = torch.Generator().manual_seed(seed)
    sentences: list[str] = []
    while len(sentences) < n:
        for scene in random_scenes(64, generator):
            if torch.rand((), generator=generator).item() < DIGIT_SHARE:
                sentence = _digit_string(generator)
            else:
                sentence = _choose(all_captions(scene), generator)
            if is_held_out(sentence) == held_out:
                sentences.append(sentence)
    return sentences[:n]


def is_caption(sentence: str) -> bool:
    """Return whether a sentence is a caption, not a string of digits."""
    return not set(sentence.split()) <= set(DIGITS)


def _digit_string(generator: torch.Generator) -> str:
    length = int(torch.randint(_LEAST, _MOST + 1, (), generator=generator))
    return " ".join(_choose(DIGITS, generator) for _ in range(length))


def _choose(items: Sequence[str], generator: torch.Generator) -> str:
    return items[int(torch.randint(len(items), (), generator=generator))]
