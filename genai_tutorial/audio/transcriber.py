"""Speech recognition: a recognizer with its vocabulary, from waves to sentences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.audio.ctc import collapse
from genai_tutorial.audio.mel import whisper_features
from genai_tutorial.audio.speech_encoder import SpeechRecognizer, output_frames

_BATCH = 32  # utterances that are read at once


@dataclass(frozen=True)
class Transcriber:
    """A recognizer whose labels are words.

    Attributes:
        model: The recognizer.
        words: The word of each label from 1 on; label 0 is the blank.

    Raises:
        ValueError: If the recognizer has another number of labels.
    """

    model: SpeechRecognizer
    words: tuple[str, ...]

    def __post_init__(self):
        if self.model.config.labels != len(self.words) + 1:
            raise ValueError(
                f"The recognizer has {self.model.config.labels} labels, so there must "
                f"be {self.model.config.labels - 1} words, got {len(self.words)}."
            )

    def listen(
        self, waves: Sequence[Float[Tensor, "_sample"]]
    ) -> list[Float[Tensor, "_frame label"]]:
        """Return the log-probability of each label in every frame of 40 ms.

        Args:
            waves: Samples, 16,000 per second.

        Raises:
            ValueError: If a wave is empty or longer than the model can read.
        """
        mels = self.model.config.mels
        return self.read([whisper_features(wave, mels) for wave in waves])

    @torch.no_grad()
    def read(
        self, features: Sequence[Float[Tensor, "mel _frame"]]
    ) -> list[Float[Tensor, "_frame label"]]:
        """Do the same as `listen` for log-mel spectrograms from `whisper_features`."""
        device = next(self.model.eval().parameters()).device
        by_length = sorted(range(len(features)), key=lambda n: features[n].shape[1])
        outputs: list[Tensor] = [torch.empty(0)] * len(features)
        for start in range(0, len(features), _BATCH):
            places = by_length[start : start + _BATCH]
            lengths = torch.tensor(
                [features[n].shape[1] for n in places], device=device
            )
            padded = torch.nn.utils.rnn.pad_sequence(
                [features[n].T.float().to(device) for n in places], batch_first=True
            )
            batch = self.model(padded.mT, lengths)
            counts = output_frames(lengths).tolist()
            for n, output, count in zip(places, batch, counts, strict=True):
                outputs[n] = output[:count]
        return outputs

    def transcribe(
        self,
        waves: Sequence[Float[Tensor, "_sample"]],
        decode: Callable[[Tensor], Sequence[int]] | None = None,
    ) -> list[str]:
        """Return the transcript of each wave.

        Args:
            waves: Samples, 16,000 per second.
            decode: Turns log-probabilities into labels, such as `prefix_beam_search`;
                None for greedy decoding.
        """
        return [self.text(output, decode) for output in self.listen(waves)]

    def text(
        self,
        log_probabilities: Float[Tensor, "frame label"],
        decode: Callable[[Tensor], Sequence[int]] | None = None,
    ) -> str:
        """Decode the recognizer's output to a sentence."""
        if decode is None:
            labels = collapse(log_probabilities.argmax(dim=1).tolist())
        else:
            labels = decode(log_probabilities)
        return " ".join(self.words[label - 1] for label in labels)
