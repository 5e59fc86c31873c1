"""The encoder: Transformer blocks that turn a sequence into vectors, with or without a
causal mask.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.transformer import FeedForward, MultiHeadAttention


@dataclass(frozen=True)
class EncoderConfig:
    """The settings of a stack of encoder blocks.

    Attributes:
        width: The number of features of a position's vector.
        heads: The number of attention heads in a block; must divide `width`.
        feed_forward_width: The number of features inside a feed-forward layer; None
            means four times `width`.

    Raises:
        ValueError: If a number is below 1, or `heads` does not divide `width`.
    """

    width: int
    layers: int
    heads: int
    feed_forward_width: int | None = None

    def __post_init__(self):
        for name in ("width", "layers", "heads", "feed_forward_width"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}.")
        if self.width % self.heads:
            raise ValueError(
                f"heads must divide width, got heads={self.heads} and "
                f"width={self.width}."
            )

    @property
    def hidden_width(self) -> int:
        """The number of features inside a feed-forward layer."""
        return self.feed_forward_width or 4 * self.width


class EncoderBlock(nn.Module):
    """One layer of the encoder: attention, then feed-forward, each with layer
    normalization before it and a residual connection around both.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, equations 2 and 3,
        https://arxiv.org/abs/2010.11929
    """

    def __init__(self, config: EncoderConfig, causal: bool):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = MultiHeadAttention(
            config.width, config.heads, bias=True, causal=causal
        )
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(
            config.width, config.hidden_width, "gelu", bias=True
        )

    def forward(
        self, x: Float[Tensor, "batch position width"]
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention and feed-forward, each with a residual connection."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class Encoder(nn.Sequential):
    """A stack of encoder blocks.

    Args:
        causal: Whether a position attends only to itself and those before it.

    >>> Encoder(EncoderConfig(width=8, layers=2, heads=2), causal=False)(
    ...     torch.zeros(3, 5, 8)
    ... ).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, config: EncoderConfig, causal: bool):
        super().__init__(*(EncoderBlock(config, causal) for _ in range(config.layers)))


@torch.no_grad()
def initialize(model: nn.Module, seed: int) -> None:
    """Initialize the weights of a model made of encoders.

    Linear layers get normal weights of standard deviation 1/sqrt(inputs) and zero
    biases; the output layers of residual branches get half of that, and token
    embeddings a standard deviation of 0.1.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            inputs = module.weight[0].numel()
            scale = 0.5 if name.endswith("output") else 1.0
            module.weight.normal_(0.0, scale / math.sqrt(inputs), generator=generator)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.Embedding):
            module.weight.normal_(0.0, 0.1, generator=generator)
