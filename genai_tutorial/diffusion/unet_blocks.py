"""The blocks of a U-Net: a residual block conditioned on the timestep, self-attention
over positions, and cross-attention to a text.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import AttentionContext, MultiHeadAttention

from .condition import TextCondition


class ResidualBlock(nn.Module):
    """Two convolutions with a residual connection; the embedding of the timestep scales
    and shifts the features between them.

    Source: Dhariwal and Nichol, Diffusion Models Beat GANs on Image Synthesis, section
        3.1, https://arxiv.org/abs/2105.05233
    """

    def __init__(
        self, channels: int, out_channels: int, embedding_width: int, groups: int = 8
    ):
        super().__init__()
        self.first_norm = nn.GroupNorm(groups, channels)
        self.first_conv = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.scale_shift = nn.Linear(embedding_width, 2 * out_channels)
        self.second_norm = nn.GroupNorm(groups, out_channels)
        self.second_conv = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        same = channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)
        # an untrained block changes nothing
        for layer in (self.scale_shift, self.second_conv):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        embedding: Float[Tensor, "batch embedding"],
    ) -> Float[Tensor, "batch out_channel height width"]:
        """Return the new features."""
        hidden = self.first_conv(functional.silu(self.first_norm(x)))
        both = self.scale_shift(functional.silu(embedding))[:, :, None, None]
        scale, shift = both.chunk(2, dim=1)
        hidden = self.second_norm(hidden) * (1 + scale) + shift
        return self.shortcut(x) + self.second_conv(functional.silu(hidden))


class PixelAttention(nn.Module):
    """Self-attention among the positions of a feature map, with a residual connection.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, appendix B,
        https://arxiv.org/abs/2006.11239
    """

    def __init__(self, channels: int, heads: int, groups: int = 8):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.attention = MultiHeadAttention(channels, heads, bias=True, causal=False)
        nn.init.zeros_(self.attention.output.weight)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Add the attention output to the input."""
        return x + from_tokens(self.attention(to_tokens(self.norm(x))), x)


class TextAttention(nn.Module):
    """Cross-attention from the positions of a feature map to the tokens of a text, with
    a residual connection.

    Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion
        Models, section 3.3, https://arxiv.org/abs/2112.10752
    """

    def __init__(self, channels: int, text_width: int, heads: int, groups: int = 8):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.attention = MultiHeadAttention(
            channels, heads, bias=True, source_width=text_width
        )
        nn.init.zeros_(self.attention.output.weight)

    def forward(
        self, x: Float[Tensor, "batch channel height width"], text: TextCondition
    ) -> Float[Tensor, "batch channel height width"]:
        """Add the attention output to the input."""
        attended = self.attention(
            to_tokens(self.norm(x)),
            AttentionContext(text.mask[:, None, None]),
            source=text.tokens,
        )
        return x + from_tokens(attended, x)

    def weights(
        self, x: Float[Tensor, "batch channel height width"], text: TextCondition
    ) -> Float[Tensor, "batch head token height width"]:
        """Return the attention weights: for every token a map over the positions that
        attend to it.
        """
        maps = self.attention.weights(
            to_tokens(self.norm(x)),
            AttentionContext(text.mask[:, None, None]),
            source=text.tokens,
        )
        return maps.transpose(2, 3).unflatten(3, x.shape[2:])


class MiddleBlock(nn.Module):
    """A block of the bottleneck: a residual block, self-attention, and cross-attention
    to a text if there is one.
    """

    def __init__(
        self,
        channels: int,
        embedding_width: int,
        heads: int,
        groups: int,
        text_width: int | None = None,
    ):
        super().__init__()
        self.residual = ResidualBlock(channels, channels, embedding_width, groups)
        self.pixel_attention = PixelAttention(channels, heads, groups)
        self.text_attention = None
        if text_width is not None:
            self.text_attention = TextAttention(channels, text_width, heads, groups)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        embedding: Float[Tensor, "batch embedding"],
        text: TextCondition | None = None,
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the new features."""
        x = self.pixel_attention(self.residual(x, embedding))
        return x if self.text_attention is None else self.text_attention(x, text)


def to_tokens(
    x: Float[Tensor, "batch channel height width"],
) -> Float[Tensor, "batch position channel"]:
    """Flatten a feature map into a sequence of positions, row by row."""
    return x.flatten(2).transpose(1, 2)


def from_tokens(
    tokens: Float[Tensor, "batch position channel"],
    like: Float[Tensor, "batch _ height width"],
) -> Float[Tensor, "batch channel height width"]:
    """Reshape a sequence of positions into a feature map of the size of `like`."""
    return tokens.transpose(1, 2).unflatten(2, like.shape[2:])
