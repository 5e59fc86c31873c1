"""A small additive synthesizer: notes as sums of sine waves."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

SINE = (1.0,)
"""A timbre: the amplitude of each harmonic. This one has the fundamental only."""

SQUARE = tuple(1 / n if n % 2 else 0.0 for n in range(1, 16))
"""Odd harmonics: a hollow sound, like a clarinet's."""

SAWTOOTH = tuple(1 / n for n in range(1, 16))
"""All harmonics: a bright sound, like a violin's."""

ORGAN = (1.0, 0.5, 0.25, 0.2, 0.05, 0.1)
"""A soft timbre for chords."""

ATTACK, RELEASE = 0.01, 0.03
"""Duration of a note's fade-in and fade-out, in seconds."""

PEAK = 0.8


@dataclass(frozen=True)
class PlayedNote:
    """A note of a piece.

    Attributes:
        start: The time at which it starts, in seconds.
        length: Its duration in seconds.
        pitch: Its pitch as a MIDI number: 60 is middle C, 69 is A at 440 Hz.
    """

    start: float
    length: float
    pitch: int


def frequency(pitch: float | int) -> float:
    """Return the frequency of a MIDI pitch in hertz."""
    return 440.0 * 2 ** ((pitch - 69) / 12)


def synthesize(
    notes: Sequence[PlayedNote],
    timbre: Sequence[float] = ORGAN,
    rate: int = 16_000,
) -> Float[Tensor, " sample"]:
    """Render notes as a wave with a peak of 0.8.

    Harmonics above half the sample rate are omitted, because they would alias: they
    would be heard as other frequencies.

    Args:
        notes: The notes, in any order; they may overlap.
        timbre: The amplitude of each harmonic.

    Raises:
        ValueError: If there are no notes, or one has a length of 0 or below or a
            negative start.

    >>> synthesize([PlayedNote(0.0, 0.5, 69)], SINE, rate=8000).shape
    torch.Size([4000])
    """
    if not notes or any(note.length <= 0 or note.start < 0 for note in notes):
        raise ValueError(
            "A piece needs at least one note, and each a length above 0 and a start "
            "of 0 or later."
        )
    end = max(note.start + note.length for note in notes)
    wave = torch.zeros(round(end * rate))
    for note in notes:
        first = round(note.start * rate)
        sound = _tone(note, timbre, rate)[: len(wave) - first]
        wave[first : first + len(sound)] += sound
    return PEAK * wave / wave.abs().max().clamp(min=1e-9)


def _tone(
    note: PlayedNote, timbre: Sequence[float], rate: int
) -> Float[Tensor, " sample"]:
    seconds = torch.arange(round(note.length * rate), dtype=torch.float64) / rate
    base = frequency(note.pitch)
    tone = torch.zeros_like(seconds)
    for number, amplitude in enumerate(timbre, start=1):
        if number * base < rate / 2 and amplitude:
            tone += amplitude * torch.sin(2 * torch.pi * number * base * seconds)
    rise = (seconds / ATTACK).clamp(max=1)
    fall = ((note.length - seconds) / RELEASE).clamp(min=0, max=1)
    return (tone * rise * fall * torch.exp(-1.5 * seconds)).float()
