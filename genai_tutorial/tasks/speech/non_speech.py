"""Non-speech sounds, which a recognizer should transcribe as nothing."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import SAMPLE_RATE, speak

from .sentences import draw_sentences
from .voices import draw_voices

NonSpeech = Literal[
    "silence", "white noise", "brown noise", "tone", "backwards", "chirp", "clicks"
]

TAUGHT: tuple[NonSpeech, ...] = (
    "silence",
    "white noise",
    "brown noise",
    "tone",
    "backwards",
)
"""The kinds of sound that a recognizer can be trained to ignore; chirps and clicks are
for tests only.
"""

_QUIETEST, _LOUDEST = 1e-4, 0.3  # standard deviations of noise, amplitudes of tones


def draw_non_speech(
    n: int,
    seed: int,
    kinds: Sequence[NonSpeech] = TAUGHT,
    held_out: bool = False,
) -> list[Float[Tensor, "_sample"]]:
    """Draw sounds of one to four seconds, of all kinds in turn.

    Loudness ranges from a whisper to a shout. Reversed speech comes from the sentences
    and voices for training or from those for tests.

    Args:
        held_out: Whether to reverse speech from the test set.

    Raises:
        ValueError: If `n` is below 1, or a kind is unknown.
        ImportError: If `backwards` is among the kinds and espeakng-loader is not
            installed.

    >>> [len(wave) for wave in draw_non_speech(2, seed=0, kinds=["tone", "clicks"])]
    [39820, 31007]
    """
    unknown = [kind for kind in kinds if kind not in get_args(NonSpeech)]
    if n < 1 or not kinds or unknown:
        raise ValueError(
            f"n must be at least 1 and kinds some of {', '.join(get_args(NonSpeech))}; "
            f"got n={n}, kinds={list(kinds)!r}."
        )
    generator = torch.Generator().manual_seed(seed)
    turns = [kinds[number % len(kinds)] for number in range(n)]
    backwards = iter(_backwards(turns.count("backwards"), seed, held_out))
    return [
        next(backwards) if kind == "backwards" else _draw(kind, generator)
        for kind in turns
    ]


def _backwards(n: int, seed: int, held_out: bool) -> list[Tensor]:
    if n == 0:
        return []
    utterances = speak(
        draw_sentences(n, seed, held_out), draw_voices(n, seed, held_out)
    )
    return [utterance.wave.flip(0) for utterance in utterances]


def _draw(kind: NonSpeech, generator: torch.Generator) -> Float[Tensor, "sample"]:
    samples = int(_uniform(1.0, 4.0, generator) * SAMPLE_RATE)
    level = math.exp(_uniform(math.log(_QUIETEST), math.log(_LOUDEST), generator))
    time = torch.arange(samples) / SAMPLE_RATE
    noise = torch.randn(samples, generator=generator)
    pitch = _uniform(80, 2000, generator)
    if kind == "silence":
        return torch.zeros(samples)
    if kind == "white noise":
        return (level * noise).clamp(-1, 1)
    if kind == "brown noise":
        return level * _brown(noise)
    if kind == "tone":
        return level * (2 * math.pi * pitch * time).sin()
    if kind == "chirp":  # rises by four octaves at most
        last = pitch * _uniform(1, 16, generator)
        turns = pitch * time + (last - pitch) * time.square() / (2 * time[-1])
        return level * (2 * math.pi * turns).sin()
    every = int(SAMPLE_RATE / _uniform(2, 12, generator))
    return level * (torch.arange(samples) % every < 40) * noise.sign()


def _brown(noise: Float[Tensor, "sample"]) -> Float[Tensor, "sample"]:
    """Return noise whose power falls with the square of the frequency."""
    spectrum = torch.fft.rfft(noise)
    frequency = torch.arange(len(spectrum)).clamp(min=1)
    brown = torch.fft.irfft(spectrum / frequency, n=len(noise))
    return brown / brown.std()


def _uniform(low: float | int, high: float | int, generator: torch.Generator) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()
