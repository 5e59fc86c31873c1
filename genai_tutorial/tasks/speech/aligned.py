"""Aligned speech: phonemes, their durations in frames, and the spectrogram, for a
speech synthesizer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.audio import PAUSE, MelConfig, log_mel_spectrogram
from genai_tutorial.data import SAMPLE_RATE, Utterance


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
        utterance: A spoken sentence.
        symbols: All phonemes, in the order of their ids.
        config: The settings of the spectrogram.

    Raises:
        ValueError: If a phoneme is not among the symbols, or the sample rates of the
            wave and the spectrogram differ.
    """
    if config.rate != SAMPLE_RATE:
        raise ValueError(
            f"Utterances have {SAMPLE_RATE} samples a second, the grid {config.rate}."
        )
    number = {symbol: place for place, symbol in enumerate(symbols)}
    labels = [PAUSE, *(phoneme.label for phoneme in utterance.phonemes), PAUSE]
    unknown = sorted(set(labels) - set(number))
    if unknown:
        raise ValueError(f"The phonemes {unknown} are not among the symbols.")
    log_mels = log_mel_spectrogram(utterance.wave, config)
    # the first pause lasts until the first phoneme begins, the last to the end
    starts = [phoneme.start for phoneme in utterance.phonemes]
    seconds = torch.tensor([*starts, utterance.phonemes[-1].end])
    borders = (seconds * config.frames_per_second).round().long()
    borders = borders.clamp(max=log_mels.shape[1])
    edges = torch.cat(
        [torch.zeros(1).long(), borders, torch.tensor([log_mels.shape[1]])]
    )
    return AlignedSpeech(
        torch.tensor([number[label] for label in labels]), edges.diff(), log_mels
    )


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


class AlignedBatches:
    """Endless batches of sentences of similar length: neighbours in the order of
    length.

    Args:
        voices: The id of each sentence's voice.

    Raises:
        ValueError: If there are fewer sentences than `batch_size`, or not a voice for
            each.
    """

    def __init__(
        self,
        sentences: Sequence[AlignedSpeech],
        voices: Sequence[int],
        batch_size: int,
        seed: int,
    ):
        if not 1 <= batch_size <= len(sentences) or len(voices) != len(sentences):
            raise ValueError(
                f"batch_size must be from 1 to {len(sentences)}, with a voice for each "
                f"sentence; got batch_size={batch_size} and {len(voices)} voices."
            )
        lengths = [sentence.log_mels.shape[1] for sentence in sentences]
        order = sorted(range(len(sentences)), key=lengths.__getitem__)
        self.sentences = [sentences[place] for place in order]
        self.voices = [voices[place] for place in order]
        self.batch_size = batch_size
        self._generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> "AlignedBatches":
        return self

    def __next__(self) -> AlignedBatch:
        """Return the next batch."""
        starts = len(self.sentences) - self.batch_size + 1
        start = int(torch.randint(starts, (), generator=self._generator))
        chosen = slice(start, start + self.batch_size)
        return pad_aligned(self.sentences[chosen], self.voices[chosen])

    def state_dict(self) -> dict:
        """Return the state that determines all further batches."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state_dict` was called."""
        self._generator.set_state(state["generator"])
