"""Short convolutions: each position reads its nearest predecessors directly, without
attention.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .block import make_attention, make_feed_forward, make_norm
from .config import DecoderConfig
from .context import AttentionContext
from .rotary import RotaryEmbedding


class ShortConvolution(nn.Module):
    """A causal depthwise convolution with a residual connection: adds the few vectors
    before each one, with one weight per feature and distance.

    Attention can read the previous token too, but has to learn how. The convolution has
    only `size x width` weights; they are initialized to zero, so that an untrained
    layer is the identity.

    Args:
        size: The number of earlier positions to add.

    Source: Allen-Zhu, Physics of Language Models: Part 4.1, Architecture Design and the
        Magic of Canon Layers, section 3 (the residual form),
        https://arxiv.org/abs/2512.17351
    """

    def __init__(self, width: int, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, width))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Add to each vector its weighted predecessors; before the first there are
        zeros.

        Args:
            context: Supplies earlier vectors from its cache; masked ones count as zero.
        """
        context = AttentionContext() if context is None else context
        size, length = len(self.weight), x.shape[1]
        text = context.with_previous(self, x, size)
        mixed = x
        for distance, weight in enumerate(self.weight, start=1):
            earlier = text[:, size - distance :][:, :length]
            mixed = mixed + context.hide(earlier, distance) * weight
        return mixed


class ConvolutionBlock(nn.Module):
    """A `DecoderBlock` with a short convolution after each norm."""

    def __init__(
        self,
        config: DecoderConfig,
        rotary: RotaryEmbedding | None = None,
        layer: int = 0,
    ):
        super().__init__()
        width, size = config.width, config.local.convolution_size
        self.attention_norm = make_norm(config)
        self.attention_convolution = ShortConvolution(width, size)
        self.attention = make_attention(config, rotary, layer)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward_convolution = ShortConvolution(width, size)
        self.feed_forward = make_feed_forward(config)

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention and feed-forward, each with a residual connection."""
        read = self.attention_convolution(self.attention_norm(x), context)
        x = x + self.attention(read, context)
        read = self.feed_forward_convolution(self.feed_forward_norm(x), context)
        return x + self.feed_forward(read)

    def attention_weights(
        self, x: Float[Tensor, "batch position width"]
    ) -> Float[Tensor, "batch head query key"]:
        """Return the attention weights for unpadded rows, without a cache."""
        read = self.attention_convolution(self.attention_norm(x))
        return self.attention.weights(read)
