"""Chorales as tokens: four streams of codes, with the beat and the fermata of each
step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial.data import HOLD, LONGEST_BAR, REST, Chorale

from .sounding import SILENT, sounding

LOWEST, HIGHEST = 36, 81
"""The range of Bach's chorales in MIDI numbers, from the lowest bass to the highest
soprano.
"""

CODES = HIGHEST - LOWEST + 3
"""The number of codes of a voice: one per pitch, hold and rest."""

HOLD_CODE, REST_CODE = CODES - 2, CODES - 1

FEATURES = (LONGEST_BAR, 2)
"""The number of values of each conditioning feature of a step: its beat, and whether it
has a fermata.
"""

VOICE_RANGES = ((57, 81), (53, 74), (48, 69), (36, 64))
"""The lowest and the highest note of each voice in the 331 chorales."""

WINDOW = 64
"""The number of steps that a model sees at once: eight bars of four quarters."""


@dataclass(frozen=True)
class ChoraleWindows:
    """Excerpts of chorales with the same number of steps.

    Attributes:
        codes: The codes of the four voices.
        features: The beat and the fermata of each step.
    """

    codes: Int[Tensor, "n voice step"]
    features: Int[Tensor, "n feature step"]

    def __len__(self) -> int:
        return len(self.codes)


def encode_cells(cells: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Return the codes of a grid's cells."""
    codes = (cells - LOWEST).masked_fill(cells == HOLD, HOLD_CODE)
    return codes.masked_fill(cells == REST, REST_CODE)


def decode_cells(codes: Int[Tensor, "*any"]) -> Int[Tensor, "*any"]:
    """Return the cells of a grid from their codes; undoes `encode_cells`."""
    cells = (codes + LOWEST).masked_fill(codes == HOLD_CODE, HOLD)
    return cells.masked_fill(codes == REST_CODE, REST)


def transpositions(chorale: Chorale) -> list[int]:
    """Return the intervals in semitones, of at most an octave, by which a chorale can
    be transposed without a voice leaving its range in Bach.
    """
    low, high = -12, 12
    for notes, (lowest, highest) in zip(chorale.cells, VOICE_RANGES, strict=True):
        pitches = notes[notes < HOLD]
        low = max(low, lowest - int(pitches.min()))
        high = min(high, highest - int(pitches.max()))
    return list(range(low, high + 1))


def transpose(
    cells: Int[Tensor, "voice step"], semitones: int
) -> Int[Tensor, "voice step"]:
    """Transpose all notes of a grid up by a number of semitones."""
    return torch.where(cells < HOLD, cells + semitones, cells)


def chorale_windows(
    chorales: Sequence[Chorale],
    length: int = WINDOW,
    hop: int = 8,
    *,
    every_key: bool = False,
) -> ChoraleWindows:
    """Cut chorales into overlapping windows; chorales that are too short are left out.

    Args:
        length: The number of steps in a window.
        hop: The number of steps between the beginnings of two windows. The last one
            ends with the chorale.
        every_key: Whether to add every transposition, for training.

    Raises:
        ValueError: If no chorale is long enough.
    """
    codes, features = [], []
    for chorale in chorales:
        steps = chorale.cells.shape[1]
        if steps < length:
            continue
        starts = sorted({*range(0, steps - length + 1, hop), steps - length})
        places = torch.tensor(starts)[:, None] + torch.arange(length)
        cut = encode_cells(chorale.cells)[:, places].transpose(0, 1)
        # The first notes begin in the window, even if they were held before it.
        cut[:, :, 0] = _sounding_codes(chorale)[:, places[:, 0]].T
        given = torch.stack((chorale.beats, chorale.fermatas.long()))
        for semitones in transpositions(chorale) if every_key else (0,):
            codes.append(torch.where(cut < HOLD_CODE, cut + semitones, cut))
            features.append(given[:, places].transpose(0, 1))
    if not codes:
        raise ValueError(f"No chorale has {length} steps: ask for shorter windows.")
    return ChoraleWindows(torch.cat(codes), torch.cat(features))


def _sounding_codes(chorale: Chorale) -> Int[Tensor, "voice step"]:
    pitches = sounding(chorale.cells)
    return encode_cells(pitches.masked_fill(pitches == SILENT, REST))
