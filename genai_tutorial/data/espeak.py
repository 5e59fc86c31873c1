"""Sentences spoken by the synthesizer eSpeak NG: its voices, and utterances with the
time of each word and phoneme.
"""

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.runtime import package_folder

ACCENTS = (
    "en-us", "en-us-nyc", "en", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-gb-scotland",
    "en-029",
)  # fmt: skip
"""Accents of English: American, New York, British, Received Pronunciation, West
Midlands, Scottish and Caribbean.
"""

SPEEDS, PITCHES = range(80, 451), range(100)
"""The allowed speeds, in words per minute, and pitches, on the synthesizer's scale."""


@dataclass(frozen=True)
class Voice:
    """A voice of the synthesizer.

    Attributes:
        accent: One of `ACCENTS`.
        variant: The speaker, one of `speakers()`; None for the synthesizer's
            default.
        speed: Words per minute, from 80 to 450.
        pitch: From 0 (low) to 99 (high).

    Raises:
        ValueError: If a number is out of range, or there is no such accent.

    >>> Voice("en-us", "f2")
    Voice(accent='en-us', variant='f2', speed=160, pitch=50)
    """

    accent: str = "en-us"
    variant: str | None = None
    speed: int = 160
    pitch: int = 50

    def __post_init__(self):
        if self.accent not in ACCENTS:
            raise ValueError(
                f"accent must be one of {', '.join(ACCENTS)}, got {self.accent!r}."
            )
        for name, numbers in (("speed", SPEEDS), ("pitch", PITCHES)):
            if getattr(self, name) not in numbers:
                raise ValueError(
                    f"{name} must be an integer from {numbers[0]} to {numbers[-1]}, "
                    f"got {getattr(self, name)!r}."
                )

    @property
    def espeak_name(self) -> str:
        """The synthesizer's name for this accent and speaker."""
        return self.accent if self.variant is None else f"{self.accent}+{self.variant}"


def speakers() -> tuple[str, ...]:
    """Return the names of all speakers (espeak's voice variants), sorted.

    Raises:
        ImportError: If espeakng-loader is not installed.

    >>> {"Alicia", "f2", "m3"} <= set(speakers())
    True
    """
    folder = package_folder("espeakng_loader", extra="audio")
    variants = folder / "espeak-ng-data" / "voices" / "!v"
    return tuple(sorted(path.name for path in variants.iterdir()))


SAMPLE_RATE = 16_000
"""The sample rate of utterances, in samples per second."""


@dataclass(frozen=True)
class Segment:
    """A word or a phoneme, with the time at which it is spoken.

    Attributes:
        label: The word, or the phoneme in the International Phonetic Alphabet.
        start: The beginning, in seconds.
        end: The end, in seconds: where the next segment or the final silence begins.
    """

    label: str
    start: float
    end: float


@dataclass(frozen=True)
class Phoneme(Segment):
    """A phoneme and the word that it belongs to.

    Attributes:
        word: The index of its word in the utterance.
    """

    word: int


@dataclass(frozen=True)
class Utterance:
    """A spoken sentence.

    Attributes:
        wave: The samples, 16,000 per second, from -1 to 1.
        words: The words with their times; the synthesizer speaks some pairs, such as
            "in the", as one word.
        phonemes: The phonemes with their times; pauses are left out.
    """

    text: str
    voice: Voice
    wave: Float[Tensor, "sample"] = field(repr=False)
    words: tuple[Segment, ...]
    phonemes: tuple[Phoneme, ...] = field(repr=False)

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return len(self.wave) / SAMPLE_RATE


def speak(texts: Sequence[str], voices: Sequence[Voice]) -> list[Utterance]:
    """Synthesize each text with its voice.

    The same lists give the same samples in any process. A sentence at another index of
    a list differs by a few samples.

    Raises:
        ImportError: If espeakng-loader is not installed.
        ValueError: If a text is empty, a speaker does not exist (the synthesizer itself
            would ignore the name), or there are not as many voices as texts.
        RuntimeError: If the synthesizer reports an error.

    >>> blue = speak(["three blue cars"], [Voice("en-us")])[0]
    >>> [word.label for word in blue.words]
    ['three', 'blue', 'cars']
    """
    package_folder("espeakng_loader", extra="audio")
    _check(texts, voices)
    requests = [
        [text, voice.espeak_name, voice.speed, voice.pitch]
        for text, voice in zip(texts, voices, strict=True)
    ]
    program = Path(__file__).with_name("espeak_process.py")
    done = subprocess.run(
        [sys.executable, str(program)],
        input=json.dumps(requests).encode(),
        capture_output=True,
    )
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RuntimeError(f"The speech synthesizer failed: {last}")
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as arrays:
        return _utterances(texts, voices, dict(arrays))


def resample(wave: Float[np.ndarray, "sample"], rate: int) -> np.ndarray:
    """Resample a wave to 16,000 samples per second: truncate its spectrum, or extend it
    with zeros.
    """
    if len(wave) == 0:
        return wave
    block = rate // np.gcd(rate, SAMPLE_RATE)  # a whole number of samples at both rates
    padded = np.pad(wave, (0, -len(wave) % block))
    count = len(padded) * SAMPLE_RATE // rate
    spectrum = np.fft.rfft(padded)[: count // 2 + 1]
    return np.fft.irfft(spectrum, count) * SAMPLE_RATE / rate


def _check(texts: Sequence[str], voices: Sequence[Voice]) -> None:
    if isinstance(texts, str) or len(texts) != len(voices) or not texts:
        given = "a single string" if isinstance(texts, str) else f"{len(texts)} texts"
        raise ValueError(
            "speak needs a list of texts and a voice for each, got "
            f"{len(voices)} voices for {given}."
        )
    for text in texts:
        if not text.strip() or "\0" in text:
            raise ValueError(f"A text must contain words, got {text!r}.")
    unknown = {voice.variant for voice in voices} - {None, *speakers()}
    if unknown:
        raise ValueError(
            f"There is no speaker {sorted(unknown)[0]!r}; speakers() lists them."
        )


def _utterances(
    texts: Sequence[str], voices: Sequence[Voice], arrays: dict[str, np.ndarray]
) -> list[Utterance]:
    rate = int(arrays["rate"])
    words, phonemes = [[] for _ in texts], [[] for _ in texts]
    events = arrays["words"].tolist()
    for (number, sample, position, _), after in zip(
        events, [*events[1:], None], strict=True
    ):
        # an event can cover several words that the synthesizer speaks as one
        is_last = after is None or after[0] != number
        label = texts[number][position - 1 : None if is_last else after[2] - 1]
        words[number].append((sample / rate, label.strip()))
    names = ("phoneme_starts", "phoneme_labels", "phoneme_words")
    rows = zip(*(arrays[name].tolist() for name in names), strict=True)
    for (number, sample), label, word in rows:
        phonemes[number].append((sample / rate, label, word))
    waves = np.split(arrays["samples"], arrays["lengths"].cumsum()[:-1])
    utterances = []
    for number, wave in enumerate(waves):
        samples = torch.from_numpy(resample(wave / 32768, rate)).float()
        segments = _segments(words[number], phonemes[number])
        utterances.append(Utterance(texts[number], voices[number], samples, *segments))
    return utterances


def _segments(
    words: Sequence[tuple[float, str]], phonemes: Sequence[tuple[float, str, int]]
) -> tuple[tuple[Segment, ...], tuple[Phoneme, ...]]:
    """Return words and phonemes, each of which ends where the next one begins."""
    end = min((start for start, label, _ in phonemes[-2:] if not label), default=0.0)
    word_ends = [start for start, _ in words[1:]] + [end]
    phoneme_ends = [start for start, _, _ in phonemes[1:]] + [end]
    return tuple(
        Segment(label, start, stop)
        for (start, label), stop in zip(words, word_ends, strict=True)
    ), tuple(
        Phoneme(label, start, stop, word)
        for (start, label, word), stop in zip(phonemes, phoneme_ends, strict=True)
        if label and stop > start
    )
