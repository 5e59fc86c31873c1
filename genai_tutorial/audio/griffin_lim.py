"""Griffin-Lim: from magnitudes, which say nothing about phase, back to a wave."""

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.audio.mel import MelConfig, mel_filter_bank
from genai_tutorial.audio.spectrogram import (
    inverse_short_time_fourier_transform,
    short_time_fourier_transform,
)


def griffin_lim(
    magnitudes: Float[Tensor, "*batch bin frame"],
    hop: int,
    generator: torch.Generator,
    steps: int = 32,
    momentum: float | int = 0.99,
) -> Float[Tensor, "*batch sample"]:
    """Find a wave with these magnitudes, starting from random phases.

    Each step makes the wave of the current phases, transforms it again, and keeps the
    phases of the result but the magnitudes that were asked for.

    Args:
        magnitudes: Absolute values of a short-time Fourier transform.
        hop: Samples from one frame to the next.
        generator: Random generator for the first phases.
        steps: Number of iterations.
        momentum: 0 is the algorithm of 1984, whose error never rises; 0.99 goes further
            in the direction of the last step, and is faster.

    Returns:
        A wave of `hop * (frames - 1)` samples.

    Raises:
        ValueError: If `steps` is negative or `momentum` is not from 0 to below 1.

    Source: Perraudin, Balazs and Søndergaard, A fast Griffin-Lim algorithm, algorithm
        2, https://doi.org/10.1109/WASPAA.2013.6701851
    """
    if steps < 0 or not 0 <= momentum < 1:
        raise ValueError(
            "steps must not be negative and momentum must be from 0 to below 1, got "
            f"{steps=}, {momentum=}"
        )
    samples = hop * (magnitudes.shape[-1] - 1)
    window = 2 * (magnitudes.shape[-2] - 1)
    turns = torch.rand(magnitudes.shape, generator=generator)
    phases = torch.polar(torch.ones_like(turns), 2 * torch.pi * turns)
    previous = torch.zeros_like(phases)
    for _ in range(steps):
        wave = inverse_short_time_fourier_transform(magnitudes * phases, hop, samples)
        rebuilt = short_time_fourier_transform(wave, window, hop)
        ahead = rebuilt + momentum * (rebuilt - previous)
        phases = ahead / ahead.abs().clamp(min=1e-16)
        previous = rebuilt
    return inverse_short_time_fourier_transform(magnitudes * phases, hop, samples)


def mel_to_wave(
    log_mels: Float[Tensor, "*batch mel frame"],
    config: MelConfig,
    generator: torch.Generator,
    steps: int = 32,
) -> Float[Tensor, "*batch sample"]:
    """Turn the result of `log_mel_spectrogram` into a wave.

    The pseudo-inverse of the filter bank spreads each band over its frequencies, and
    Griffin-Lim finds phases.

    Args:
        log_mels: Natural logarithms of the magnitudes per band.
        config: The grid that they were computed on.
        generator: Random generator for the first phases.
        steps: Number of iterations of Griffin-Lim.

    Raises:
        ValueError: If the number of bands differs from that of `config`.
    """
    if log_mels.shape[-2] != config.mels:
        raise ValueError(
            f"got {log_mels.shape[-2]} bands, but config has {config.mels}"
        )
    bank = mel_filter_bank(config.rate, config.window, config.mels)
    magnitudes = (torch.linalg.pinv(bank) @ log_mels.exp()).clamp(min=0)
    return griffin_lim(magnitudes, config.hop, generator, steps)


def spectral_convergence(
    wave: Float[Tensor, "*batch sample"],
    magnitudes: Float[Tensor, "*batch bin frame"],
    hop: int,
) -> Float[Tensor, "*batch"]:
    """Return how far a wave's magnitudes are from the wanted ones, relative to their
    norm: 0 where they agree, 1 for silence.
    """
    window = 2 * (magnitudes.shape[-2] - 1)
    rebuilt = short_time_fourier_transform(wave, window, hop).abs()
    distance = (rebuilt - magnitudes).square().sum(dim=(-2, -1)).sqrt()
    return distance / magnitudes.square().sum(dim=(-2, -1)).sqrt()
