"""Playing a chorale's grid, and drawing it as a piano roll."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.audio import ORGAN, PlayedNote, synthesize
from genai_tutorial.data import HOLD

from .sounding import SILENT, sounding


def notes_of(
    cells: Int[Tensor, "voice step"], seconds_per_step: float
) -> list[PlayedNote]:
    """Return the notes of a grid, with their times in seconds."""
    notes = []
    pitches = sounding(cells)
    for voice, row in enumerate(cells.tolist()):
        start = 0
        for step in range(1, len(row) + 1):
            if step < len(row) and row[step] == HOLD:
                continue
            if (pitch := int(pitches[voice, start])) != SILENT:
                length = (step - start) * seconds_per_step
                notes.append(PlayedNote(start * seconds_per_step, length, pitch))
            start = step
    return notes


def play_chorale(
    cells: Int[Tensor, "voice step"],
    seconds_per_step: float = 0.3,
    rate: int = 16_000,
) -> Float[Tensor, " sample"]:
    """Render a grid as a wave; each eighth note lasts `seconds_per_step`."""
    return synthesize(notes_of(cells, seconds_per_step), ORGAN, rate)


def piano_roll(
    cells: Int[Tensor, "voice step"], lowest: int, highest: int
) -> Int[Tensor, "pitch step"]:
    """Return the piano roll of a grid: for each pitch and step, the number of the voice
    that sounds, from 1, or 0 for silence; the lowest pitch comes first.
    """
    roll = torch.zeros(highest - lowest + 1, cells.shape[1], dtype=torch.long)
    for voice, row in enumerate(sounding(cells).tolist(), start=1):
        for step, pitch in enumerate(row):
            if lowest <= pitch <= highest:
                roll[pitch - lowest, step] = voice
    return roll
