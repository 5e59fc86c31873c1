"""Recordings of spoken sentences as log-mel spectrograms, cached on disk."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.audio import whisper_features
from genai_tutorial.data import Utterance, speak
from genai_tutorial.runtime import cached, package_folder

from .non_speech import draw_non_speech
from .sentences import SPEECH_WORDS, draw_sentences
from .voices import draw_voices

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

    Args:
        seed: Seed of the sentences and the voices.
        held_out_sentences: Whether to draw test sentences.
        held_out_voices: Whether to draw test speakers.

    Raises:
        ImportError: If espeakng-loader is not installed.
        ValueError: If `n` is below 1.
    """

    def build() -> dict[str, np.ndarray]:
        return _arrays(
            draw_utterances(
                n,
                seed,
                held_out_sentences=held_out_sentences,
                held_out_voices=held_out_voices,
            )
        )

    package_folder("espeakng_loader", extra="audio")
    package = version("espeakng-loader")
    arrays = cached(
        "speech", build, f"{package} {n} {seed} {held_out_sentences} {held_out_voices}"
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


def record_non_speech(n: int, seed: int, held_out: bool = False) -> Recordings:
    """Return sounds of the kinds in `TAUGHT` with empty transcripts."""
    waves = draw_non_speech(n, seed, held_out=held_out)
    return Recordings(
        ("",) * n, tuple(whisper_features(wave, MELS).half() for wave in waves)
    )


def encode_transcripts(
    sentences: Sequence[str],
) -> tuple[Int[Tensor, "sentence longest"], Int[Tensor, "sentence"]]:
    """Return the labels of sentences, padded with the blank, and their lengths.

    Raises:
        ValueError: If a word is not one of `SPEECH_WORDS`.

    >>> encode_transcripts(["a red circle", ""])
    (tensor([[ 1, 25,  9],
            [ 0,  0,  0]]), tensor([3, 0]))
    """
    labels = {word: label for label, word in enumerate(SPEECH_WORDS, start=1)}
    unknown = {word for text in sentences for word in text.split()} - set(labels)
    if unknown:
        raise ValueError(
            f"These words are not in the vocabulary: {sorted(unknown)}. It has "
            f"{', '.join(SPEECH_WORDS)}."
        )
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
