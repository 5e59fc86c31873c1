"""Captioned melodies: melodies with the four attributes that their captions name.

A melody is a sequence of notes, each with a timbre, a pitch and a length: three
parallel streams of tokens. It begins and ends on its tonic, moves along the scale of
its mode, and contains the third, which distinguishes major from minor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Int
from torch import Tensor

TIMBRES = ("sine", "square", "sawtooth")
TEMPI = ("slow", "medium", "fast")
REGISTERS = ("low", "middle", "high")
MODES = ("major", "minor")

NOTES = 12
"""The number of notes in a melody."""

UNIT = 1 / 32
"""The unit of note lengths in seconds."""

LENGTHS = (3, 4, 6, 8, 12, 16)
"""The note lengths in units, two for each tempo, the fast one first."""

LOWEST, HIGHEST = 38, 84
"""The lowest and highest pitch with a token, as MIDI numbers."""

STREAM_VOCAB = HIGHEST - LOWEST + 1
"""The vocabulary size of each of the three streams; only the pitches use all tokens.
"""

_STEPS = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_TONICS = {"low": range(45, 50), "middle": range(57, 62), "high": range(69, 74)}
_LOWEST_DEGREE, _HIGHEST_DEGREE = -2, 4  # in steps of the scale from the tonic


@dataclass(frozen=True)
class MelodyCaption:
    """The four attributes of a melody.

    >>> str(MelodyCaption("square", "fast", "high", "minor"))
    'a fast high square-wave melody in minor'
    """

    timbre: str
    tempo: str
    register: str
    mode: str

    def __str__(self) -> str:
        return (
            f"a {self.tempo} {self.register} {self.timbre}-wave melody in {self.mode}"
        )


CAPTIONS = tuple(
    MelodyCaption(*words) for words in product(TIMBRES, TEMPI, REGISTERS, MODES)
)
"""All 54 captions."""

WORDS = ("nothing", *TIMBRES, *TEMPI, *REGISTERS, *MODES)
"""The words of caption tokens, by token id; the first stands for no caption."""


def held_out_captions() -> tuple[MelodyCaption, ...]:
    """Return the nine captions held out of training; each timbre, tempo and register
    occurs in three of them.
    """
    return tuple(
        MelodyCaption(
            timbre, TEMPI[(i + j) % 3], REGISTERS[(2 * i + j) % 3], MODES[(i + j) % 2]
        )
        for i, timbre in enumerate(TIMBRES)
        for j in range(3)
    )


def caption_tokens(
    captions: Sequence[MelodyCaption | None],
) -> Int[Tensor, "n 4"]:
    """Return the tokens of captions: timbre, tempo, register and mode; zeros for None,
    which stands for no caption.
    """
    rows = [
        [0] * 4
        if caption is None
        else [
            WORDS.index(word)
            for word in (caption.timbre, caption.tempo, caption.register, caption.mode)
        ]
        for caption in captions
    ]
    return torch.tensor(rows)


def draw_melodies(
    captions: Sequence[MelodyCaption], generator: torch.Generator
) -> Int[Tensor, "n stream note"]:
    """Draw a melody for each caption, as tokens of timbres, pitches and lengths.

    Args:
        generator: Random generator of the melodies.
    """
    return torch.stack([_melody(caption, generator) for caption in captions])


def _melody(
    caption: MelodyCaption, generator: torch.Generator
) -> Int[Tensor, "stream note"]:
    tonics = _TONICS[caption.register]
    tonic = tonics[_below(len(tonics), generator)]
    scale = _STEPS[caption.mode]
    degrees = _walk(generator)
    pitches = [tonic + 12 * (d // 7) + scale[d % 7] - LOWEST for d in degrees]
    first = 2 * (len(TEMPI) - 1 - TEMPI.index(caption.tempo))
    lengths = [first + _below(2, generator) for _ in degrees]
    timbre = TIMBRES.index(caption.timbre)
    return torch.tensor([[timbre] * NOTES, pitches, lengths])


def _walk(generator: torch.Generator) -> list[int]:
    """Return a random walk on the scale that begins and ends on the tonic, 0, and
    visits the third, where major and minor differ.
    """
    while True:
        degrees = [0]
        while len(degrees) < NOTES - 1:
            step = (-2, -1, 1, 2)[_below(4, generator)]
            if _LOWEST_DEGREE <= degrees[-1] + step <= _HIGHEST_DEGREE:
                degrees.append(degrees[-1] + step)
        if 2 in degrees and abs(degrees[-1]) <= 2:
            return [*degrees, 0]


def _below(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))
