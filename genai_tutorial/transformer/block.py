"""The block: attention, then feed-forward, each reading a normalised copy and adding to
what is there.
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from genai_tutorial.transformer.cache import LayerCache
from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.convolution import NoConvolution, ShortConvolution
from genai_tutorial.transformer.feed_forward import FeedForward
from genai_tutorial.transformer.mixture_of_experts import MixtureOfExperts
from genai_tutorial.transformer.multi_head import MultiHeadAttention
from genai_tutorial.transformer.norms import make_norm
from genai_tutorial.transformer.rotary import RotaryEmbedding


class DecoderBlock(nn.Module):
    """One layer of the decoder, in the pre-norm arrangement.

        x ──┬── norm ── attention ──(+)──┬── norm ── feed-forward ──(+)── out
            └────────────────────────┘   └───────────────────────────┘

    The straight way through carries every vector unchanged, so gradients reach the
    first layer without loss. With `config.neighbours`, a short convolution follows each
    norm.

    Args:
        config: The decoder's settings.
        rotary: The angles that all blocks share; None for other kinds of position.

    Source: Xiong et al., On Layer Normalization in the Transformer Architecture, figure
        1b, https://arxiv.org/abs/2002.04745
    """

    def __init__(self, config: DecoderConfig, rotary: RotaryEmbedding | None = None):
        super().__init__()
        self.attention_norm = make_norm(
            config.norm, config.width, config.bias, config.norm_epsilon
        )
        self.attention_mix = _short_convolution(config)
        self.attention = MultiHeadAttention(
            config.width,
            config.heads,
            key_value_heads=config.key_value_heads,
            bias=config.bias,
            rotary=rotary,
            query_key_norm=config.query_key_norm,
            window=config.sliding_window,
            alibi=config.positions == "alibi",
        )
        self.feed_forward_norm = make_norm(
            config.norm, config.width, config.bias, config.norm_epsilon
        )
        self.feed_forward_mix = _short_convolution(config)
        self.feed_forward = make_feed_forward(config)

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        past: LayerCache | None = None,
        mask: Bool[Tensor, "batch 1 position position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Add to each vector what the two layers have to say.

        Args:
            x: The vectors.
            past: Holds what this layer knows of earlier tokens.
            mask: True where a position may see another, on top of what is hidden
                anyway.
        """
        x = x + self.attention(
            self.attention_mix(self.attention_norm(x), past, mask), past, mask=mask
        )
        return x + self.feed_forward(
            self.feed_forward_mix(self.feed_forward_norm(x), past, mask)
        )


def make_feed_forward(config: DecoderConfig) -> nn.Module:
    """Build the feed-forward layer that a config asks for: one for all tokens, or
    experts that share them.
    """
    if config.experts:
        return MixtureOfExperts(
            config.width,
            config.expert_hidden_width,
            config.experts,
            config.experts_per_token,
            config.shared_experts,
            config.activation,
            config.bias,
        )
    return FeedForward(
        config.width, config.hidden_width, config.activation, config.bias
    )


def _short_convolution(config: DecoderConfig) -> nn.Module:
    return (
        ShortConvolution(config.width, config.neighbours)
        if config.neighbours
        else NoConvolution()
    )
