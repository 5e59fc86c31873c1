"""The block: attention, then feed-forward, each reading a normalised copy and adding to what is there."""

from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.transformer.attention import MultiHeadAttention
from genai_tutorial.transformer.config import DecoderConfig
from genai_tutorial.transformer.convolution import ShortConvolution
from genai_tutorial.transformer.feed_forward import FeedForward
from genai_tutorial.transformer.norms import make_norm
from genai_tutorial.transformer.positions import RotaryEmbedding


class DecoderBlock(nn.Module):
    """One layer of the decoder, in the pre-norm arrangement.

        x ──┬── norm ── attention ──(+)──┬── norm ── feed-forward ──(+)── out
            └────────────────────────┘   └───────────────────────────┘

    The straight way through carries every vector unchanged, so gradients reach the first layer without loss.
    With `config.neighbours`, a short convolution follows each norm.

    Args:
        config: The decoder's settings.
        rotary: The angles that all blocks share; None for other kinds of position.

    Source: Xiong et al., On Layer Normalization in the Transformer Architecture, figure 1b,
        https://arxiv.org/abs/2002.04745
    """

    def __init__(self, config: DecoderConfig, rotary: RotaryEmbedding | None = None):
        super().__init__()
        self.attention_norm = make_norm(config.norm, config.width, config.bias)
        self.attention_mix = _short_convolution(config)
        self.attention = MultiHeadAttention(
            config.width, config.heads, bias=config.bias, rotary=rotary, query_key_norm=config.query_key_norm
        )
        self.feed_forward_norm = make_norm(config.norm, config.width, config.bias)
        self.feed_forward_mix = _short_convolution(config)
        self.feed_forward = FeedForward(config.width, config.hidden_width, config.activation, config.bias)

    def forward(self, x: Float[Tensor, "batch position width"]) -> Float[Tensor, "batch position width"]:
        """Adds to each vector what the two layers have to say."""
        x = x + self.attention(self.attention_mix(self.attention_norm(x)))
        return x + self.feed_forward(self.feed_forward_mix(self.feed_forward_norm(x)))


def _short_convolution(config: DecoderConfig) -> nn.Module:
    return ShortConvolution(config.width, config.neighbours) if config.neighbours else nn.Identity()
