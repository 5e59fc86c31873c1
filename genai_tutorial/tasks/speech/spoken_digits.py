"""Spoken digits as images: one second of log-mels, scaled like pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.audio import MelConfig, log_mel_spectrogram, mel_to_wave
from genai_tutorial.data import SAMPLE_RATE, speak

from .sentences import DIGITS
from .voices import draw_voices

DIGIT_MELS = MelConfig(rate=SAMPLE_RATE, window=1024, hop=256, mels=32)
"""The grid of the images: 32 bands, and a column every 16 ms."""

DIGIT_COLUMNS = 64
"""The number of columns of an image: about a second."""

_SAMPLES = (DIGIT_COLUMNS - 1) * DIGIT_MELS.hop
_QUIETEST, _LOUDEST = -9.0, 2.0  # log-mels that become -1 and 1


@dataclass(frozen=True)
class SpokenDigits:
    """Recordings of single digits.

    Attributes:
        images: The log-mel spectrograms, scaled to -1 (quiet) to 1 (loud); the lowest
            band comes first.
    """

    images: Float[Tensor, "n 1 32 64"]
    labels: Int[Tensor, "n"]

    def __len__(self) -> int:
        return len(self.labels)


def draw_spoken_digits(
    n: int, seed: int, held_out_voices: bool = False
) -> SpokenDigits:
    """Speak the digits from zero to nine in turn, each with a voice drawn at random.

    Args:
        held_out_voices: Whether to draw test speakers.

    Raises:
        ImportError: If espeakng-loader is not installed.
        ValueError: If `n` is below 1.
    """
    voices = draw_voices(n, seed, held_out_voices)
    labels = torch.arange(n) % len(DIGITS)
    spoken = speak([DIGITS[label] for label in labels.tolist()], voices)
    return SpokenDigits(digit_images([one.wave for one in spoken]), labels)


def digit_images(
    waves: Sequence[Float[Tensor, "_sample"]],
) -> Float[Tensor, "n 1 32 64"]:
    """Return the images of waves, which are padded with silence or cut at the end."""
    padded = torch.stack(
        [functional.pad(one, (0, _SAMPLES))[:_SAMPLES] for one in waves]
    )
    log_mels = log_mel_spectrogram(padded, DIGIT_MELS)
    scaled = 2 * (log_mels - _QUIETEST) / (_LOUDEST - _QUIETEST) - 1
    return scaled.clamp(-1, 1)[:, None]


def digit_waves(
    images: Float[Tensor, "n 1 32 64"], generator: torch.Generator
) -> Float[Tensor, "n sample"]:
    """Return waves with these images, whose phases Griffin-Lim estimates.

    Args:
        images: Spectrograms as in `SpokenDigits`.
        generator: Random generator of the initial phases.
    """
    log_mels = _QUIETEST + (images[:, 0] + 1) / 2 * (_LOUDEST - _QUIETEST)
    return mel_to_wave(log_mels, DIGIT_MELS, generator)
