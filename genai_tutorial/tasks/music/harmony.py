"""Composing and harmonizing with a model of four voices."""

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.audio import UNKNOWN, MultiStreamLM, sample_streams
from genai_tutorial.data import HOLD, VOICES

from .chorale_codes import decode_cells, encode_cells
from .counterpoint import count_parallels
from .sounding import sounding


def compose(
    model: MultiStreamLM,
    features: Int[Tensor, "piece feature step"],
    *,
    temperature: float | int = 1.0,
    top_p: float | int | None = 0.95,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "piece voice step"]:
    """Sample new pieces in four parts.

    Args:
        model: The model of four voices.
        features: The beat and the fermata of each step, see `phrase_features`.
        temperature: See `next_token_probabilities`.
        top_p: See `next_token_probabilities`.
        generator: Random generator of the draws.

    Returns:
        The cells of the grids.
    """
    shape = len(features), len(VOICES), features.shape[-1]
    codes = sample_streams(
        model,
        torch.full(shape, UNKNOWN),
        features,
        temperature=temperature,
        top_p=top_p,
        generator=generator,
    )
    return decode_cells(codes)


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
        model: The model of four voices.
        melodies: The cells of the sopranos.
        features: The beat and the fermata of each step, see `phrase_features`.
        temperature: See `next_token_probabilities`.
        top_p: See `next_token_probabilities`.
        generator: Random generator of the draws.

    Returns:
        The cells of the grids; the first voice is the given one.
    """
    known = torch.full((len(melodies), len(VOICES), melodies.shape[-1]), UNKNOWN)
    known[:, 0] = encode_cells(melodies)
    codes = sample_streams(
        model,
        known,
        features,
        temperature=temperature,
        top_p=top_p,
        generator=generator,
    )
    return decode_cells(codes)


def choose_fewest_parallels(
    tries: Sequence[Int[Tensor, "piece voice step"]],
) -> Int[Tensor, "piece voice step"]:
    """Return for each piece the version with the fewest parallel fifths and octaves:
    best-of-n sampling, with the rule as the judge.
    """
    if not tries:
        raise ValueError("There is no version to choose from: give at least one.")
    counts = torch.stack([count_parallels(cells)[0] for cells in tries])
    best = counts.argmin(dim=0)
    return torch.stack(list(tries))[best, torch.arange(len(best))]


def phrase_features(
    steps: int, phrase_ends: Collection[int] = (), upbeat: int = 0
) -> Int[Tensor, "feature step"]:
    """Return the beats and fermatas of a melody in bars of four quarters."""
    if not all(0 <= step < steps for step in phrase_ends):
        raise ValueError(
            f"phrase_ends must be steps from 0 to {steps - 1}, got "
            f"{sorted(phrase_ends)}."
        )
    beats = (torch.arange(steps) - upbeat) % 8
    fermatas = torch.zeros(steps, dtype=torch.long)
    fermatas[list(phrase_ends)] = 1
    return torch.stack((beats, fermatas))


def write_melody(*notes: tuple[int, int]) -> Int[Tensor, " step"]:
    """Return the cells of a melody from pairs of a MIDI pitch and a length in
    eighths.
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
