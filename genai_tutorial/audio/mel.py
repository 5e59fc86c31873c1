"""The mel scale, and mel spectrograms: the input of speech recognizers and the output
of speech synthesizers.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.audio.spectrogram import short_time_fourier_transform

LOWEST_MAGNITUDE = 1e-5
"""Smaller magnitudes are raised to this floor, so that the logarithm stays finite."""

_LINEAR = 200 / 3  # hertz per mel below 1,000 Hz
_STEP = math.log(6.4) / 27  # logarithm of the ratio per mel above it


def hertz_to_mel(hertz: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert frequencies to Slaney's mel scale: linear up to 1,000 Hz and logarithmic
    above, like human hearing.

    >>> hertz_to_mel(torch.tensor([0.0, 500.0, 1000.0, 6400.0]))
    tensor([ 0.0000,  7.5000, 15.0000, 42.0000])
    """
    above = 15 + (hertz.clamp(min=1000) / 1000).log() / _STEP
    return torch.where(hertz < 1000, hertz / _LINEAR, above)


def mel_to_hertz(mels: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert Slaney's mels back to frequencies."""
    return torch.where(
        mels < 15, mels * _LINEAR, 1000 * ((mels.clamp(min=15) - 15) * _STEP).exp()
    )


def mel_filter_bank(rate: int, window: int, mels: int) -> Float[Tensor, "mel bin"]:
    """Return triangular filters, equally wide in mels and of equal area in hertz.

    Args:
        rate: Samples per second.
        window: Samples per window of the Fourier transform.
        mels: Number of filters, from zero to half the rate.

    Raises:
        ValueError: If a filter is so narrow that it falls between two bins.

    Source: Slaney, Auditory Toolbox, 1998,
        https://engineering.purdue.edu/~malcolm/interval/1998-010/
    """
    highest = hertz_to_mel(torch.tensor(rate / 2, dtype=torch.float64)).item()
    corners = mel_to_hertz(torch.linspace(0, highest, mels + 2, dtype=torch.float64))
    bins = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)
    low, centre, high = (corners[k : k + mels, None] for k in range(3))
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    filters = torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)
    if (filters.amax(dim=1) == 0).any():
        raise ValueError(
            f"{mels} filters are too many for a window of {window} samples at {rate} "
            "Hz: at least one falls between two bins; take fewer or a longer window"
        )
    return filters.float()


@dataclass(frozen=True)
class MelConfig:
    """The time and frequency grid of a mel spectrogram.

    Attributes:
        rate: Samples per second of the wave.
        window: Samples per window.
        hop: Samples from one frame to the next.
        mels: Number of frequency bands.
    """

    rate: int = 16_000
    window: int = 512
    hop: int = 128
    mels: int = 64

    @property
    def frames_per_second(self) -> float:
        """The number of columns per second of sound."""
        return self.rate / self.hop


def mel_spectrogram(
    wave: Float[Tensor, "*batch sample"], config: MelConfig
) -> Float[Tensor, "*batch mel frame"]:
    """Return the magnitude in each mel band and frame."""
    spectrum = short_time_fourier_transform(wave, config.window, config.hop)
    bank = mel_filter_bank(config.rate, config.window, config.mels)
    return bank.to(wave.device) @ spectrum.abs()


def log_mel_spectrogram(
    wave: Float[Tensor, "*batch sample"], config: MelConfig
) -> Float[Tensor, "*batch mel frame"]:
    """Return the natural logarithm of the magnitudes; silence is `log(1e-5)`.

    `mel_to_wave` inverts it approximately: phases and detail within a band are lost.
    """
    return mel_spectrogram(wave, config).clamp(min=LOWEST_MAGNITUDE).log()


def whisper_features(
    wave: Float[Tensor, "*batch sample"], mels: int = 80
) -> Float[Tensor, "*batch mel frame"]:
    """Return the log-mel spectrogram that Whisper reads: 16,000 samples per second,
    windows of 25 ms, 100 frames per second.

    It is the base-10 logarithm of the power, clipped to at most 8 below the maximum and
    scaled to about -1 to 1. A wave of n samples gives n // 160 frames.

    Source: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision,
        section 2.2, https://arxiv.org/abs/2212.04356
    """
    rate, window, hop = 16_000, 400, 160
    spectrum = short_time_fourier_transform(wave, window, hop)[..., :-1]
    bank = mel_filter_bank(rate, window, mels).to(wave.device)
    powers = bank @ spectrum.abs().square()
    logs = powers.clamp(min=1e-10).log10()
    loudest = logs.amax(dim=(-2, -1), keepdim=True)
    return (torch.maximum(logs, loudest - 8) + 4) / 4
