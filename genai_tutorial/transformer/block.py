"""The Transformer block: attention, then a feed-forward layer, each with a residual
connection.
"""

from jaxtyping import Float
from torch import Tensor, nn

from .config import DecoderConfig
from .context import AttentionContext
from .feed_forward import FeedForward
from .mixture_of_experts import MixtureOfExperts
from .multi_head import MultiHeadAttention
from .norms import RMSNorm
from .rotary import RotaryEmbedding


class DecoderBlock(nn.Module):
    """One layer of the decoder, in the pre-norm arrangement.

        x ──┬── norm ── attention ──(+)──┬── norm ── feed-forward ──(+)── out
            └────────────────────────┘   └───────────────────────────┘

    The residual connections carry each vector through unchanged, so that gradients
    reach the first layer without passing through any norm or matrix.

    Args:
        config: The decoder's settings.
        rotary: The rotary embedding that all blocks share; None for other positional
            encodings.
        layer: The index of the block in its model.

    Source: Xiong et al., On Layer Normalization in the Transformer Architecture, figure
        1b, https://arxiv.org/abs/2002.04745
    """

    def __init__(
        self,
        config: DecoderConfig,
        rotary: RotaryEmbedding | None = None,
        layer: int = 0,
    ):
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = make_attention(config, rotary, layer)
        self.feed_forward_norm = make_norm(config)
        self.feed_forward = make_feed_forward(config)

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention and feed-forward, each with a residual connection."""
        x = x + self.attention(self.attention_norm(x), context)
        return x + self.feed_forward(self.feed_forward_norm(x))

    def attention_weights(
        self, x: Float[Tensor, "batch position width"]
    ) -> Float[Tensor, "batch head query key"]:
        """Return the attention weights for unpadded rows, without a cache."""
        return self.attention.weights(self.attention_norm(x))


def make_norm(config: DecoderConfig) -> nn.Module:
    """Build a normalization layer; only LayerNorm uses `config.bias`."""
    epsilon = config.norm.epsilon
    if config.norm.kind == "layer":
        epsilon = 1e-5 if epsilon is None else epsilon
        return nn.LayerNorm(config.width, epsilon, bias=config.bias)
    return RMSNorm(config.width, 1e-6 if epsilon is None else epsilon)


def make_attention(
    config: DecoderConfig, rotary: RotaryEmbedding | None, layer: int
) -> MultiHeadAttention:
    """Build one block's attention layer."""
    settings = config.attention
    return MultiHeadAttention(
        config.width,
        settings.heads,
        key_value_heads=settings.key_value_heads,
        bias=config.bias,
        rotary=rotary,
        query_key_norm=settings.query_key_norm,
        window=settings.sliding_window,
        alibi=settings.positions == "alibi",
        layer=layer,
    )


def make_feed_forward(config: DecoderConfig) -> nn.Module:
    """Build one block's feed-forward layer, or its mixture of experts."""
    activation, mixture = config.feed_forward.activation, config.mixture
    if mixture is None:
        return FeedForward(config.width, config.hidden_width, activation, config.bias)
    return MixtureOfExperts(
        config.width,
        config.expert_hidden_width,
        mixture.experts,
        mixture.experts_per_token,
        mixture.shared_experts,
        activation,
        config.bias,
    )
