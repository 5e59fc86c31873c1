"""Whisper's architecture: an encoder reads a spectrogram, and a decoder writes the
transcript token by token, with cross-attention to the encoder's output.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.multimodal import Encoder, EncoderConfig, initialize
from genai_tutorial.runtime import torch_seed
from genai_tutorial.transformer import FeedForward, LearnedPositions, MultiHeadAttention


@dataclass(frozen=True)
class ListenAndWriteConfig:
    """The settings of an encoder-decoder for speech.

    Attributes:
        blocks: The settings of both stacks.
        mels: The number of bands of the spectrogram.
        frames: The number of frames of every spectrogram, twice the number of the
            encoder's positions: 3,000 for Whisper's 30 seconds.
        context_length: The largest number of tokens.
    """

    blocks: EncoderConfig
    vocab_size: int
    mels: int = 80
    frames: int = 3000
    context_length: int = 448


class CrossAttentionBlock(nn.Module):
    """A decoder block: causal self-attention, cross-attention and a feed-forward layer,
    each with layer normalization before it and a residual connection around it.

    Source: Vaswani et al., Attention Is All You Need, section 3.1, with the norms moved
        inside the residual connections, https://arxiv.org/abs/1706.03762
    """

    def __init__(self, config: EncoderConfig, source_width: int):
        super().__init__()
        width, heads = config.width, config.heads
        self.attention_norm = nn.LayerNorm(width)
        self.attention = MultiHeadAttention(width, heads, bias=True)
        self.cross_attention_norm = nn.LayerNorm(width)
        self.cross_attention = MultiHeadAttention(
            width, heads, bias=True, source_width=source_width
        )
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, config.hidden_width, "gelu", bias=True)

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        source: Float[Tensor, "batch key source_width"],
    ) -> Float[Tensor, "batch position width"]:
        """Apply the three layers."""
        x = x + self.attention(self.attention_norm(x))
        x = x + self.cross_attention(self.cross_attention_norm(x), source=source)
        return x + self.feed_forward(self.feed_forward_norm(x))


class ListenAndWrite(nn.Module):
    """An encoder-decoder for speech recognition with Whisper's layers.

    Source: Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision,
        section 2.2, https://arxiv.org/abs/2212.04356

    >>> config = ListenAndWriteConfig(
    ...     EncoderConfig(width=8, layers=1, heads=2), vocab_size=5, mels=4, frames=20
    ... )
    >>> model = ListenAndWrite(config, seed=0)
    >>> model(torch.zeros(1, 4, 20), torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 5])
    """

    def __init__(self, config: ListenAndWriteConfig, seed: int):
        super().__init__()
        self.config = config
        width = config.blocks.width
        with torch_seed(seed):
            self.first = nn.Conv1d(config.mels, width, 3, padding=1)
            self.second = nn.Conv1d(width, width, 3, stride=2, padding=1)
            waves = sine_positions(config.frames // 2, width)
            self.register_buffer("waves", waves, persistent=False)
            self.encoder = Encoder(config.blocks, causal=False)
            self.encoder_norm = nn.LayerNorm(width)
            self.token = nn.Embedding(config.vocab_size, width)
            self.positions = LearnedPositions(config.context_length, width)
            self.decoder = nn.ModuleList(
                CrossAttentionBlock(config.blocks, width)
                for _ in range(config.blocks.layers)
            )
            self.decoder_norm = nn.LayerNorm(width)
        initialize(self, seed)

    def listen(
        self, features: Float[Tensor, "batch mel frame"]
    ) -> Float[Tensor, "batch position width"]:
        """Return the encoder's output, one vector for every two frames.

        Raises:
            ValueError: If the number of frames differs from the settings.
        """
        if features.shape[-1] != self.config.frames:
            raise ValueError(
                f"A spectrogram must have {self.config.frames} frames, got "
                f"{features.shape[-1]}: pad the sound with silence, or cut it."
            )
        x = nn.functional.gelu(self.first(features))
        x = nn.functional.gelu(self.second(x)).mT + self.waves
        return self.encoder_norm(self.encoder(x))

    def write(
        self,
        heard: Float[Tensor, "batch key width"],
        ids: Int[Tensor, "batch position"],
    ) -> Float[Tensor, "batch position vocab"]:
        """Return the logits of the next token at each position of the transcript."""
        x = self.positions(self.token(ids))
        for block in self.decoder:
            x = block(x, heard)
        return self.decoder_norm(x) @ self.token.weight.T

    def forward(
        self,
        features: Float[Tensor, "batch mel frame"],
        ids: Int[Tensor, "batch position"],
    ) -> Float[Tensor, "batch position vocab"]:
        """Encode the spectrograms, and return the logits of the next token at each
        position.
        """
        return self.write(self.listen(features), ids)

    @torch.no_grad()
    def transcribe(
        self,
        features: Float[Tensor, "mel frame"],
        start: list[int],
        end: int,
        most: int,
    ) -> list[int]:
        """Decode greedily: take the most likely token at each step, until the end
        token.

        Args:
            start: The tokens that a transcript begins with.
            most: The largest number of new tokens; a decoder that repeats itself would
                otherwise never stop.
        """
        heard, ids = self.listen(features[None]), list(start)
        while len(ids) < len(start) + most and ids[-1] != end:
            ids.append(int(self.write(heard, torch.tensor([ids]))[0, -1].argmax()))
        return ids[len(start) :]


def sine_positions(length: int, width: int) -> Float[Tensor, "position width"]:
    """Return Whisper's fixed positional encoding: sines in the first half of the
    features and cosines in the second, with wavelengths from 2π to 10,000 · 2π.
    """
    half = width // 2
    steps = torch.arange(half) * (-math.log(10_000) / max(1, half - 1))
    angles = torch.arange(length)[:, None] * steps.exp()
    return torch.cat([angles.sin(), angles.cos()], dim=1)
