"""Griffin-Lim: reconstruct a wave from magnitudes alone, without their phases."""

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

    Each step builds the wave for the current phases, transforms it again, and keeps the
    phases of the result together with the given magnitudes.

    Args:
        magnitudes: Absolute values of a short-time Fourier transform.
        hop: Samples from one frame to the next.
        generator: Random generator of the initial phases.
        steps: Number of iterations.
        momentum: 0 is the original algorithm of 1984, whose error never increases; 0.99
            goes further in the direction of the last step and converges faster.

    Returns:
        A wave of `hop * (frames - 1)` samples.

    Raises:
        ValueError: If `steps` is negative or `momentum` is not in [0, 1).

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
    turns = torch.rand(magnitudes.shape, generator=generator).to(magnitudes.device)
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
    """Convert a log-mel spectrogram (see `log_mel_spectrogram`) to a wave.

    The pseudo-inverse of the filter bank spreads each band over its frequencies, and
    Griffin-Lim estimates the phases.

    Args:
        log_mels: Natural logarithms of the magnitudes per band.
        config: The settings that they were computed with.
        generator: Random generator of the initial phases.
        steps: Number of iterations of Griffin-Lim.

    Raises:
        ValueError: If the number of bands differs from that of `config`.
    """
    if log_mels.shape[-2] != config.mels:
        raise ValueError(
            f"got {log_mels.shape[-2]} bands, but config has {config.mels}"
        )
    bank = mel_filter_bank(config.rate, config.window, config.mels)
    inverse = torch.linalg.pinv(bank).to(log_mels.device)
    magnitudes = (inverse @ log_mels.exp()).clamp(min=0)
    return griffin_lim(magnitudes, config.hop, generator, steps)


def spectral_convergence(
    wave: Float[Tensor, "*batch sample"],
    magnitudes: Float[Tensor, "*batch bin frame"],
    hop: int,
) -> Float[Tensor, "*batch"]:
    """Return the distance of a wave's magnitudes from the target magnitudes, relative
    to the norm of the target: 0 for a perfect match, 1 for silence.
    """
    window = 2 * (magnitudes.shape[-2] - 1)
    rebuilt = short_time_fourier_transform(wave, window, hop).abs()
    distance = (rebuilt - magnitudes).square().sum(dim=(-2, -1)).sqrt()
    return distance / magnitudes.square().sum(dim=(-2, -1)).sqrt()
