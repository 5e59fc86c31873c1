"""Chorales as tokens, four streams of codes with the beat and the fermata of each step;
music composed and harmonized by a model of them; and how a grid sounds.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.audio import (
    ORGAN,
    UNKNOWN,
    MultiStreamLM,
    PlayedNote,
    sample_streams,
    synthesize,
)
from genai_tutorial.data import HOLD, LONGEST_BAR, REST, VOICES, Chorale


def sounding(cells: Int[Tensor, "*piece step"]) -> Int[Tensor, "*piece step"]:
    """Return the pitch that sounds at each step, `REST` if none does or if it began
    before the first step.
    """
    steps = torch.arange(cells.shape[-1], device=cells.device).expand(cells.shape)
    begun = torch.where(cells == HOLD, -1, steps).cummax(dim=-1).values
    pitches = cells.gather(-1, begun.clamp(min=0))
    return pitches.masked_fill(begun < 0, REST)


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
    """Excerpts of chorales with the same number of steps."""

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


def chorale_windows(
    chorales: Sequence[Chorale],
    length: int = WINDOW,
    hop: int = 8,
    *,
    every_key: bool = False,
) -> ChoraleWindows:
    """Cut chorales into overlapping windows; chorales that are too short are left out.

    Args:
        hop: The number of steps between the beginnings of two windows. The last one
            ends with the chorale.
        every_key: If true, add every transposition, for training.
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
        cut[:, :, 0] = encode_cells(sounding(chorale.cells))[:, places[:, 0]].T
        given = torch.stack((chorale.beats, chorale.fermatas.long()))
        for semitones in transpositions(chorale) if every_key else (0,):
            codes.append(torch.where(cut < HOLD_CODE, cut + semitones, cut))
            features.append(given[:, places].transpose(0, 1))
    if not codes:
        raise ValueError(f"No chorale has {length} steps: ask for shorter windows.")
    return ChoraleWindows(torch.cat(codes), torch.cat(features))


def notes_of(
    cells: Int[Tensor, "voice step"], seconds_per_step: float
) -> list[PlayedNote]:
    """Return the notes of a grid, with their times in seconds.

    >>> [note.length for note in notes_of(torch.tensor([[60, HOLD, 62]]), 0.5)]
    [1.0, 0.5]
    """
    notes = []
    pitches = sounding(cells)
    for voice, row in enumerate(cells.tolist()):
        start = 0
        for step in range(1, len(row) + 1):
            if step < len(row) and row[step] == HOLD:
                continue
            if (pitch := int(pitches[voice, start])) != REST:
                length = (step - start) * seconds_per_step
                notes.append(PlayedNote(start * seconds_per_step, length, pitch))
            start = step
    return notes


def play_chorale(
    cells: Int[Tensor, "voice step"], seconds_per_step: float = 0.3, rate: int = 16_000
) -> Float[Tensor, " sample"]:
    """Render a grid as a wave; each eighth note lasts `seconds_per_step`."""
    return synthesize(notes_of(cells, seconds_per_step), ORGAN, rate)


def compose(
    model: MultiStreamLM,
    features: Int[Tensor, "piece feature step"],
    *,
    temperature: float | int = 1.0,
    top_p: float | int | None = 0.95,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "piece voice step"]:
    """Sample new pieces in four parts, and return the cells of their grids.

    Args:
        features: The beat and the fermata of each step, see `phrase_features`.
    """
    known = torch.full((len(features), len(VOICES), features.shape[-1]), UNKNOWN)
    sampling = {"temperature": temperature, "top_p": top_p, "generator": generator}
    return decode_cells(sample_streams(model, known, features, **sampling))


def harmonize(
    model: MultiStreamLM,
    melodies: Int[Tensor, "piece step"],
    features: Int[Tensor, "piece feature step"],
    *,
    temperature: float | int = 0.8,
    top_p: float | int | None = 0.9,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "piece voice step"]:
    """Add alto, tenor and bass to given sopranos.

    Args:
        melodies: The cells of the sopranos.

    Returns:
        The cells of the grids; the first voice is the given one.
    """
    known = torch.full((len(melodies), len(VOICES), melodies.shape[-1]), UNKNOWN)
    known[:, 0] = encode_cells(melodies)
    sampling = {"temperature": temperature, "top_p": top_p, "generator": generator}
    return decode_cells(sample_streams(model, known, features, **sampling))


def phrase_features(
    steps: int, phrase_ends: Collection[int] = ()
) -> Int[Tensor, "feature step"]:
    """Return the beats and fermatas of a melody in bars of four quarters.

    Raises:
        ValueError: If a phrase end is not a step of the melody.
    """
    if not all(0 <= step < steps for step in phrase_ends):
        raise ValueError(
            f"phrase_ends must be steps from 0 to {steps - 1}, got "
            f"{sorted(phrase_ends)}."
        )
    fermatas = torch.zeros(steps, dtype=torch.long)
    fermatas[list(phrase_ends)] = 1
    return torch.stack((torch.arange(steps) % 8, fermatas))


def write_melody(*notes: tuple[int, int]) -> Int[Tensor, " step"]:
    """Return the cells of a melody from pairs of a MIDI pitch and a length in eighths.

    >>> write_melody((60, 2), (62, 1)).tolist() == [60, HOLD, 62]
    True
    """
    cells = [
        pitch if number == 0 else HOLD
        for pitch, length in notes
        for number in range(length)
    ]
    return torch.tensor(cells)


def pitch_agreement(
    cells: Int[Tensor, "piece voice step"], original: Int[Tensor, "piece voice step"]
) -> Float[Tensor, " voice"]:
    """Return for each voice the share of steps with the same pitch as the original."""
    same = sounding(cells) == sounding(original)
    return same.float().mean(dim=(0, 2))
