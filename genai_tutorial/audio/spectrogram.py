"""Spectrograms and back: the short-time Fourier transform, mel bands, and waves from
magnitudes by Griffin-Lim.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor


def short_time_fourier_transform(
    wave: Float[Tensor, "*batch sample"], window: int, hop: int
) -> Complex[Tensor, "*batch bin frame"]:
    """Cut a wave into overlapping windows, multiply each by a Hann window, and return
    their spectra as columns.

    Frame t is centred on sample t * hop; the wave is padded by reflection.

    Args:
        wave: Samples from -1 to 1; more than `window // 2` of them.
        window: Samples per window, an even number.
        hop: Samples from one window to the next.

    Raises:
        ValueError: If the wave is shorter than half a window, `window` is odd, or a
            size is below one.
    """
    if window < 2 or window % 2 or hop < 1:
        raise ValueError(
            "window must be an even number of samples and hop at least 1, got "
            f"{window=}, {hop=}"
        )
    samples = wave.shape[-1]
    if samples <= window // 2:
        raise ValueError(
            f"the wave has {samples} samples, but a window of {window} needs more than "
            f"{window // 2}: append silence"
        )
    half = window // 2
    left = wave[..., 1 : half + 1].flip(-1)
    right = wave[..., -half - 1 : -1].flip(-1)
    padded = torch.cat([left, wave, right], dim=-1)
    frames = padded.unfold(-1, window, hop) * torch.hann_window(
        window, device=wave.device
    )
    return torch.fft.rfft(frames).transpose(-1, -2)


def inverse_short_time_fourier_transform(
    spectrum: Complex[Tensor, "*batch bin frame"], hop: int, samples: int
) -> Float[Tensor, "*batch sample"]:
    """Transform each column back to samples, overlap-add the windows, and divide by the
    sum of the squared Hann windows.

    Source: Griffin and Lim, Signal Estimation from Modified Short-Time Fourier
        Transform, equation 6, https://doi.org/10.1109/TASSP.1984.1164317
    """
    window = 2 * (spectrum.shape[-2] - 1)
    count = spectrum.shape[-1]
    padded = window + hop * (count - 1)
    if hop > window // 2 or samples > padded - window // 2:
        raise ValueError(
            f"{count} windows of {window} samples, {hop} apart, cannot make {samples} "
            f"samples: hop may be at most {window // 2} and samples at most "
            f"{padded - window // 2}"
        )
    fade = torch.hann_window(window, device=spectrum.device)
    frames = torch.fft.irfft(spectrum.transpose(-1, -2), n=window) * fade
    batch = frames.shape[:-2]
    columns = frames.reshape(-1, count, window).transpose(1, 2)
    weights = fade.square().view(1, window, 1).expand(1, window, count)
    total, weight = (
        torch.nn.functional.fold(part, (1, padded), (1, window), stride=(1, hop))
        for part in (columns, weights.contiguous())
    )
    keep = slice(window // 2, window // 2 + samples)
    wave = total[..., keep] / weight[..., keep].clamp(min=1e-11)
    return wave.reshape(*batch, samples)


LOWEST_MAGNITUDE = 1e-5
"""Smaller magnitudes are raised to this floor, so that the logarithm stays finite."""

_LINEAR = 200 / 3  # hertz per mel below 1,000 Hz
_STEP = math.log(6.4) / 27  # logarithm of the ratio per mel above it


def hertz_to_mel(hertz: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert frequencies to Slaney's mel scale: linear up to 1,000 Hz and logarithmic
    above, like human hearing.
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


def griffin_lim(
    magnitudes: Float[Tensor, "*batch bin frame"],
    hop: int,
    generator: torch.Generator,
    steps: int = 32,
    momentum: float | int = 0.99,
) -> Float[Tensor, "*batch sample"]:
    """Find a wave of `hop * (frames - 1)` samples with these magnitudes, starting from
    random phases.

    Each step builds the wave for the current phases, transforms it again, and keeps the
    phases of the result together with the given magnitudes.

    Args:
        magnitudes: Absolute values of a short-time Fourier transform.
        hop: Samples from one frame to the next.
        momentum: 0 is the original algorithm of 1984, whose error never increases; 0.99
            goes further in the direction of the last step and converges faster.

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
    Griffin-Lim estimates the phases in `steps` iterations.

    Args:
        config: The settings that the spectrogram was computed with.

    Raises:
        ValueError: If the number of bands differs from `config`.
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
