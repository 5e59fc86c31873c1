"""A speech recognizer with CTC: masks on its training spectrograms, the network, its
loss, and the words that it reads.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.multimodal import EncoderConfig, initialize
from genai_tutorial.runtime import torch_seed
from genai_tutorial.transformer import (
    AttentionContext,
    FeedForward,
    MultiHeadAttention,
    RotaryEmbedding,
    padding_mask,
    rotary_frequencies,
)

from .ctc import collapse, ctc_loss
from .spectrogram import whisper_features

MOST_MELS, MOST_FRAMES = 8, 25
"""The largest numbers of neighbouring bands and frames that `mask_spectrograms` hides.
"""


def mask_spectrograms(
    features: Float[Tensor, "batch mel frame"],
    lengths: Int[Tensor, "batch"],
    generator: torch.Generator,
) -> Float[Tensor, "batch mel frame"]:
    """Return spectrograms in which a few neighbouring bands and frames are zero.

    Source: Park et al., SpecAugment, section 2, https://arxiv.org/abs/1904.08779
    """
    batch, mels, frames = features.shape
    axes = (
        (torch.full_like(lengths, mels), MOST_MELS, mels),
        (lengths, MOST_FRAMES, frames),
    )
    hidden = []
    for size, most, count in axes:
        width = torch.randint(most + 1, (batch,), generator=generator).to(size.device)
        room = (size - width).clamp(min=0) + 1
        start = (torch.rand(batch, generator=generator).to(size.device) * room).long()
        place = torch.arange(count, device=size.device)
        hidden.append((place >= start[:, None]) & (place < (start + width)[:, None]))
    return features.masked_fill(hidden[0][:, :, None] | hidden[1][:, None], 0.0)


STRIDE = 4
"""The number of spectrogram frames for each output frame."""


@dataclass(frozen=True)
class RecognizerConfig:
    """The settings of a speech recognizer.

    Attributes:
        encoder: The settings of the blocks.
        labels: The number of labels, the blank included.
        mels: The number of bands of the spectrogram.
        kernel: The number of neighbouring frames that a block's convolution mixes; odd.
        context_length: The largest number of output frames.
    """

    encoder: EncoderConfig
    labels: int
    mels: int = 40
    kernel: int = 5
    context_length: int = 512


class SpeechBlock(nn.Module):
    """A block of the recognizer and the synthesizer: attention over the whole
    utterance, a depthwise convolution over neighbouring frames, and a feed-forward
    layer.

    Source: Gulati et al., Conformer, section 2, https://arxiv.org/abs/2005.08100; its
        two half feed-forward layers are one here, and the convolution has no gate.
    """

    def __init__(self, config: EncoderConfig, kernel: int, rotary: RotaryEmbedding):
        super().__init__()
        width = config.width
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(
            width, config.heads, bias=True, rotary=rotary, causal=False
        )
        self.convolution_norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(
            width, width, kernel, padding=kernel // 2, groups=width
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, config.hidden_width, "gelu", bias=True)

    def forward(
        self,
        x: Float[Tensor, "batch frame width"],
        is_sound: Float[Tensor, "batch frame 1"],
        context: AttentionContext,
    ) -> Float[Tensor, "batch frame width"]:
        """Apply the three layers, each with a residual connection; `is_sound` is zero
        for the padding.
        """
        x = x + self.attention(self.attention_norm(x), context)
        near = (self.convolution_norm(x) * is_sound).mT
        x = x + self.convolution(near).mT
        return x + self.feed_forward(self.feed_forward_norm(x))


class SpeechRecognizer(nn.Module):
    """A recognizer that gives each frame of 40 ms a distribution over the labels.

    >>> config = RecognizerConfig(EncoderConfig(width=16, layers=1, heads=2), labels=5)
    >>> model = SpeechRecognizer(config, seed=0)
    >>> model(torch.zeros(1, 40, 100), torch.tensor([100])).shape
    torch.Size([1, 25, 5])
    """

    def __init__(self, config: RecognizerConfig, seed: int):
        super().__init__()
        self.config = config
        width = config.encoder.width
        with torch_seed(seed):
            self.first = nn.Conv1d(config.mels, width, 3, stride=2, padding=1)
            self.second = nn.Conv1d(width, width, 3, stride=2, padding=1)
            frequencies = rotary_frequencies(width // config.encoder.heads, 10_000)
            rotary = RotaryEmbedding(frequencies, config.context_length)
            self.blocks = nn.ModuleList(
                SpeechBlock(config.encoder, config.kernel, rotary)
                for _ in range(config.encoder.layers)
            )
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, config.labels)
        initialize(self, seed)

    def forward(
        self,
        features: Float[Tensor, "batch mel time"],
        lengths: Int[Tensor, "batch"],
    ) -> Float[Tensor, "batch frame label"]:
        """Return the log-probability of each label in each frame.

        Args:
            features: Log-mel spectrograms, padded at the end.
            lengths: The number of frames of each, without the padding.

        Raises:
            ValueError: If a spectrogram is too long for the model.
        """
        frames = output_frames(lengths)
        is_sound = padding_mask(lengths, features.shape[-1])[:, 0, 0, None]
        x = nn.functional.gelu(self.first(features * is_sound))
        x = x * padding_mask((lengths + 1) // 2, x.shape[-1])[:, 0, 0, None]
        x = nn.functional.gelu(self.second(x)).mT
        if x.shape[1] > self.config.context_length:
            raise ValueError(
                f"A spectrogram may have {STRIDE * self.config.context_length} frames, "
                f"got {features.shape[-1]}: cut the recording."
            )
        context = AttentionContext.padded(frames, x.shape[1])
        is_sound = padding_mask(frames, x.shape[1])[:, 0, 0, :, None].float()
        for block in self.blocks:
            x = block(x, is_sound, context)
        return self.head(self.norm(x)).log_softmax(dim=-1)


def output_frames(lengths: Int[Tensor, "batch"]) -> Int[Tensor, "batch"]:
    """Return the number of output frames for spectrograms of the given lengths."""
    return ((lengths + 1) // 2 + 1) // 2


def recognition_loss(
    model: nn.Module,
    features: Float[Tensor, "batch mel time"],
    frames: Int[Tensor, "batch"],
    transcripts: Int[Tensor, "batch longest"],
    lengths: Int[Tensor, "batch"],
    masks: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Return the CTC loss of a recognizer on a batch.

    Args:
        features: Log-mel spectrograms, padded; `frames` is the length of each.
        transcripts: The labels of each, padded with the blank.
        masks: Random generator of SpecAugment's masks; None for no masks.

    Raises:
        ValueError: If an utterance is too short for its transcript.
    """
    if masks is not None:
        features = mask_spectrograms(features, frames, masks)
    heard = model(features, frames)
    return ctc_loss(heard, output_frames(frames), transcripts, lengths)


_BATCH = 32  # utterances that are read at once


@dataclass(frozen=True)
class Transcriber:
    """A recognizer whose labels are words.

    Attributes:
        words: The word of each label from 1 on; label 0 is the blank.
    """

    model: SpeechRecognizer
    words: tuple[str, ...]

    def listen(
        self, waves: Sequence[Float[Tensor, "_sample"]]
    ) -> list[Float[Tensor, "_frame label"]]:
        """Return the log-probability of each label in every frame of 40 ms, from waves
        of 16,000 samples per second.

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
