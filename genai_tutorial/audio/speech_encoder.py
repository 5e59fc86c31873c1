"""The speech recognizer: two strided convolutions downsample the spectrogram, encoder
blocks follow, and each output frame gets a distribution over the labels.
"""

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

from .ctc import ctc_loss
from .spec_augment import mask_spectrograms

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

    Raises:
        ValueError: If a number is out of range.
    """

    encoder: EncoderConfig
    labels: int
    mels: int = 40
    kernel: int = 5
    context_length: int = 512

    def __post_init__(self):
        if self.labels < 2 or self.mels < 1 or self.context_length < 1:
            raise ValueError(
                "A recognizer needs a blank and at least one label, one band and one "
                f"frame, got labels={self.labels}, mels={self.mels}, "
                f"context_length={self.context_length}."
            )
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ValueError(
                f"kernel must be odd, so that it has a middle, got {self.kernel}."
            )


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

    Args:
        seed: Seed of the initial weights.

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
        model: A `SpeechRecognizer`.
        features: Log-mel spectrograms, padded.
        transcripts: The labels of each, padded with the blank.
        masks: Random generator of SpecAugment's masks; None for no masks.

    Raises:
        ValueError: If an utterance is too short for its transcript.
    """
    if masks is not None:
        features = mask_spectrograms(features, frames, masks)
    heard = model(features, frames)
    return ctc_loss(heard, output_frames(frames), transcripts, lengths)
