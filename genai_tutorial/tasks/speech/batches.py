"""Batches of recordings and of aligned speech, of similar length to keep the padding
small, and spoken digits as images: one second of log-mels, scaled like pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.audio import PAUSE, MelConfig, log_mel_spectrogram, mel_to_wave
from genai_tutorial.data import SAMPLE_RATE, Utterance, speak
from genai_tutorial.tasks import EndlessBatches

from .recordings import DIGITS, Recordings, draw_voices, encode_transcripts

SpeechBatch = tuple[
    Float[Tensor, "batch mel frame"],
    Int[Tensor, "batch"],
    Int[Tensor, "batch longest"],
    Int[Tensor, "batch"],
]
"""Spectrograms, their numbers of frames, transcripts and their numbers of labels."""


def pad_recordings(recordings: Recordings) -> SpeechBatch:
    """Return all recordings as one batch, padded at the end with zeros."""
    lengths = torch.tensor([one.shape[1] for one in recordings.features])
    features = torch.nn.utils.rnn.pad_sequence(
        [one.T.float() for one in recordings.features], batch_first=True
    )
    return features.mT, lengths, *encode_transcripts(recordings.sentences)


class _NeighbourBatches(EndlessBatches):
    """Endless batches of neighbours in the order of length."""

    def __init__(
        self, lengths: Sequence[int], batch_size: int, seed: int, **share: int
    ):
        super().__init__(batch_size, seed, **share)
        if batch_size > len(lengths):
            raise ValueError(
                f"batch_size must be at most {len(lengths)}, the number of examples, "
                f"got {batch_size}."
            )
        self._order = sorted(range(len(lengths)), key=lengths.__getitem__)

    def _draw(self) -> list[int]:
        starts = len(self._order) - self.batch_size + 1
        start = int(torch.randint(starts, (), generator=self._generator))
        return self._order[start : start + self.batch_size][self.mine]


class SpeechBatches(_NeighbourBatches):
    """Endless batches of recordings of similar length: neighbours in the order of
    length.

    Args:
        batch_size: The number of recordings in a batch, over all processes.
        share: `rank` and `world_size`, see `EndlessBatches`.
    """

    def __init__(
        self, recordings: Recordings, batch_size: int, seed: int, **share: int
    ):
        self.recordings = recordings
        lengths = [one.shape[1] for one in recordings.features]
        super().__init__(lengths, batch_size, seed, **share)

    def __next__(self) -> SpeechBatch:
        """Return the next batch."""
        return pad_recordings(self.recordings.choose(self._draw()))


class AlignedSpeech(NamedTuple):
    """A sentence with the duration of every phoneme.

    Attributes:
        phonemes: The ids of the phonemes, with a pause at both ends.
        durations: The number of frames of each phoneme.
    """

    phonemes: Int[Tensor, "phoneme"]
    durations: Int[Tensor, "phoneme"]
    log_mels: Float[Tensor, "mel frame"]


def align(
    utterance: Utterance, symbols: Sequence[str], config: MelConfig
) -> AlignedSpeech:
    """Compute an utterance's spectrogram and the duration of each phoneme in frames;
    the durations add up to the number of frames.

    Args:
        symbols: All phonemes, in the order of their ids.
        config: The spectrogram, at the sample rate of utterances.
    """
    number = {symbol: place for place, symbol in enumerate(symbols)}
    labels = [PAUSE, *(phoneme.label for phoneme in utterance.phonemes), PAUSE]
    log_mels = log_mel_spectrogram(utterance.wave, config)
    # the first pause lasts until the first phoneme begins, the last to the end
    starts = [phoneme.start for phoneme in utterance.phonemes]
    seconds = torch.tensor([*starts, utterance.phonemes[-1].end])
    borders = (seconds * config.frames_per_second).round().long()
    borders = borders.clamp(max=log_mels.shape[1])
    edges = functional.pad(borders, (1, 0))
    durations = edges.diff(append=torch.tensor([log_mels.shape[1]]))
    ids = torch.tensor([number[label] for label in labels])
    return AlignedSpeech(ids, durations, log_mels)


AlignedBatch = tuple[
    Int[Tensor, "batch phoneme"],
    Int[Tensor, "batch"],
    Int[Tensor, "batch phoneme"],
    Int[Tensor, "batch"],
    Float[Tensor, "batch mel frame"],
]
"""Phonemes, their counts, durations, voices and spectrograms: the arguments of
`synthesis_loss`.
"""


def pad_aligned(
    sentences: Sequence[AlignedSpeech], voices: Sequence[int]
) -> AlignedBatch:
    """Return sentences as one batch, padded at the end with zeros."""
    pad = torch.nn.utils.rnn.pad_sequence
    return (
        pad([sentence.phonemes for sentence in sentences], batch_first=True),
        torch.tensor([len(sentence.phonemes) for sentence in sentences]),
        pad([sentence.durations for sentence in sentences], batch_first=True),
        torch.tensor(list(voices)),
        pad([sentence.log_mels.T for sentence in sentences], batch_first=True).mT,
    )


class AlignedBatches(_NeighbourBatches):
    """Endless batches of sentences of similar length: neighbours in the order of
    length.
    """

    def __init__(
        self,
        sentences: Sequence[AlignedSpeech],
        voices: Sequence[int],
        batch_size: int,
        seed: int,
    ):
        self.sentences, self.voices = sentences, voices
        lengths = [sentence.log_mels.shape[1] for sentence in sentences]
        super().__init__(lengths, batch_size, seed)

    def __next__(self) -> AlignedBatch:
        """Return the next batch."""
        places = self._draw()
        return pad_aligned(
            [self.sentences[place] for place in places],
            [self.voices[place] for place in places],
        )


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

    Raises:
        ImportError: If espeakng-loader is not installed.
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
    """
    log_mels = _QUIETEST + (images[:, 0] + 1) / 2 * (_LOUDEST - _QUIETEST)
    return mel_to_wave(log_mels, DIGIT_MELS, generator)
