"""Recordings of spoken sentences, captions of scenes and strings of digits, by 65
speakers in seven accents, and of sounds that are no speech, as log-mel spectrograms on
disk.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.audio import whisper_features
from genai_tutorial.data import ACCENTS, SAMPLE_RATE, Utterance, Voice, speak
from genai_tutorial.runtime import cached, package_folder
from genai_tutorial.tasks import read_words
from genai_tutorial.tasks.shapes import all_captions, caption_words, random_scenes

DIGITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
)  # fmt: skip
"""The words of digit strings."""

DIGIT_SHARE = 0.2
"""The share of sentences that are strings of digits; the others are captions."""

SPEECH_WORDS = tuple(sorted({*caption_words(), *DIGITS}))
"""All 37 words that are spoken."""


def is_held_out(sentence: str) -> bool:
    """Return whether a sentence is held out for tests: one in eight is, by the checksum
    of its text.
    """
    return zlib.crc32(sentence.encode()) % 8 == 0


def draw_sentences(n: int, seed: int, held_out: bool = False) -> list[str]:
    """Draw sentences: captions of any length, and strings of two to six digits.

    Args:
        n: The number of sentences; a sentence can occur more than once.
        held_out: Whether to draw test sentences rather than training sentences.

    >>> draw_sentences(1, seed=1)
    ['a green circle right of a green circle']
    """
    generator = torch.Generator().manual_seed(seed)
    sentences: list[str] = []
    while len(sentences) < n:
        for scene in random_scenes(64, generator):
            if torch.rand((), generator=generator).item() < DIGIT_SHARE:
                sentence = _digit_string(generator)
            else:
                sentence = _choose(all_captions(scene), generator)
            if is_held_out(sentence) == held_out:
                sentences.append(sentence)
    return sentences[:n]


def is_caption(sentence: str) -> bool:
    """Return whether a sentence is a caption, not a string of digits."""
    return not set(sentence.split()) <= set(DIGITS)


def _digit_string(generator: torch.Generator) -> str:
    return " ".join(
        _choose(DIGITS, generator) for _ in range(_between(2, 6, generator))
    )


def _choose(items: Sequence[str], generator: torch.Generator) -> str:
    return items[int(torch.randint(len(items), (), generator=generator))]


[SPEAKERS] = read_words("speech", "speakers")
"""The synthesizer's speakers, except for robots, whisperers and monsters."""

HELD_OUT_SPEAKERS = SPEAKERS[::4]
"""The 17 speakers that no model hears in training."""

SPEEDS, PITCHES = (130, 190), (30, 70)
"""The lowest and highest speed (words per minute) and pitch that are drawn."""


def draw_voices(n: int, seed: int, held_out: bool = False) -> list[Voice]:
    """Draw voices with a random accent, speaker, speed and pitch.

    Args:
        held_out: Whether to draw test speakers rather than training speakers.

    >>> draw_voices(1, seed=0)
    [Voice(accent='en-gb-x-gbcwmd', variant='anika', speed=161, pitch=39)]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    generator = torch.Generator().manual_seed(seed)
    speakers = [name for name in SPEAKERS if (name in HELD_OUT_SPEAKERS) == held_out]
    return [
        Voice(
            _choose(ACCENTS, generator),
            _choose(speakers, generator),
            _between(*SPEEDS, generator),
            _between(*PITCHES, generator),
        )
        for _ in range(n)
    ]


def _between(lowest: int, highest: int, generator: torch.Generator) -> int:
    return int(torch.randint(lowest, highest + 1, (), generator=generator))


NonSpeech = Literal[
    "silence", "white noise", "brown noise", "tone", "backwards", "chirp", "clicks"
]

TAUGHT: tuple[NonSpeech, ...] = get_args(NonSpeech)[:5]
"""The kinds of sound that a recognizer can be trained to ignore; chirps and clicks are
for tests only.
"""

_QUIETEST, _LOUDEST = 1e-4, 0.3  # standard deviations of noise, amplitudes of tones


def draw_non_speech(
    n: int, seed: int, kinds: Sequence[NonSpeech] = TAUGHT, held_out: bool = False
) -> list[Float[Tensor, "_sample"]]:
    """Draw sounds of one to four seconds, of all kinds in turn.

    Loudness ranges from a whisper to a shout. Reversed speech comes from the sentences
    and voices for training or from those for tests.

    Args:
        held_out: Whether to reverse speech from the test set.

    Raises:
        ImportError: If `backwards` is among the kinds and espeakng-loader is not
            installed.

    >>> [len(wave) for wave in draw_non_speech(2, seed=0, kinds=["tone", "clicks"])]
    [39820, 31007]
    """
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


MELS = 40
"""The number of bands of the recordings' spectrograms."""


@dataclass(frozen=True)
class Recordings:
    """Spoken sentences or non-speech sounds, with their transcripts.

    Attributes:
        sentences: The transcript of each; empty for non-speech.
        features: The log-mel spectrogram of each, 100 frames per second.
    """

    sentences: tuple[str, ...]
    features: tuple[Float[Tensor, "mel _frame"], ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.sentences)

    def __add__(self, more: "Recordings") -> "Recordings":
        return Recordings(
            self.sentences + more.sentences, self.features + more.features
        )

    def choose(self, places: Sequence[int]) -> "Recordings":
        """Return the recordings with these indices."""
        return Recordings(
            tuple(self.sentences[place] for place in places),
            tuple(self.features[place] for place in places),
        )

    @property
    def hours(self) -> float:
        """The total duration in hours."""
        return sum(one.shape[1] for one in self.features) / 100 / 3600


def load_recordings(
    n: int,
    seed: int,
    *,
    held_out_sentences: bool = False,
    held_out_voices: bool = False,
) -> Recordings:
    """Load spoken sentences; they are synthesized on the first call, then cached.

    Raises:
        ImportError: If espeakng-loader is not installed.
    """
    held_out = {
        "held_out_sentences": held_out_sentences,
        "held_out_voices": held_out_voices,
    }
    package_folder("espeakng_loader", extra="audio")
    package = version("espeakng-loader")
    arrays = cached(
        "speech",
        lambda: _arrays(draw_utterances(n, seed, **held_out)),
        f"{package} {n} {seed} {held_out_sentences} {held_out_voices}",
    )
    features = torch.from_numpy(arrays["features"])
    return Recordings(
        tuple(arrays["sentences"].tolist()),
        features.split(arrays["lengths"].tolist(), dim=1),
    )


def draw_utterances(
    n: int,
    seed: int,
    *,
    held_out_sentences: bool = False,
    held_out_voices: bool = False,
) -> list[Utterance]:
    """Synthesize randomly drawn sentences with randomly drawn voices: the sounds behind
    `load_recordings`, with the same arguments.
    """
    return speak(
        draw_sentences(n, seed, held_out_sentences),
        draw_voices(n, seed, held_out_voices),
    )


def record_non_speech(n: int, seed: int) -> Recordings:
    """Return sounds of the kinds in `TAUGHT` with empty transcripts."""
    waves = draw_non_speech(n, seed)
    return Recordings(
        ("",) * n, tuple(whisper_features(wave, MELS).half() for wave in waves)
    )


def encode_transcripts(
    sentences: Sequence[str],
) -> tuple[Int[Tensor, "sentence longest"], Int[Tensor, "sentence"]]:
    """Return the labels of sentences, padded with the blank, and their lengths.

    >>> encode_transcripts(["a red circle", ""])
    (tensor([[ 1, 25,  9],
            [ 0,  0,  0]]), tensor([3, 0]))
    """
    labels = {word: label for label, word in enumerate(SPEECH_WORDS, start=1)}
    rows = [torch.tensor([labels[word] for word in text.split()]) for text in sentences]
    lengths = torch.tensor([len(row) for row in rows])
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return padded.long(), lengths


def _arrays(utterances: Sequence[Utterance]) -> dict[str, np.ndarray]:
    features = [whisper_features(one.wave, MELS).half() for one in utterances]
    return {
        "features": torch.cat(features, dim=1).numpy(),
        "lengths": np.array([one.shape[1] for one in features]),
        "sentences": np.array([one.text for one in utterances]),
    }
