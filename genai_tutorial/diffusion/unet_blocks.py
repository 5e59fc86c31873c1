"""The blocks of a U-Net: a residual block that knows the time, attention over pixels,
attention to a text.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.diffusion.condition import TextCondition
from genai_tutorial.transformer import AttentionContext, MultiHeadAttention


class ResidualBlock(nn.Module):
    """Two convolutions that change an image's features by what they see and by the
    time.

        x ── norm ── SiLU ── conv ── norm ── · (1 + scale) + shift ── SiLU ── conv
        ──(+)── out └──────────────────────────────────────┴── from the embedding
        ──────────────┘

    Args:
        channels: The number of features of each pixel that come in.
        out_channels: The number that go out; where they differ, the straight way is a
            convolution of one pixel.
        embedding_width: The number of features of the vector that says the time (and
            the label).
        groups: How many groups of features the norms treat apart; must divide both
            numbers of channels.

    Raises:
        ValueError: If `groups` does not divide a number of channels.

    Source: Dhariwal and Nichol, Diffusion Models Beat GANs on Image Synthesis, section
        3.1, https://arxiv.org/abs/2105.05233
    """

    def __init__(
        self, channels: int, out_channels: int, embedding_width: int, groups: int = 8
    ):
        super().__init__()
        _check_groups(groups, channels, out_channels)
        self.first_norm = nn.GroupNorm(groups, channels)
        self.first = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.scale_shift = nn.Linear(embedding_width, 2 * out_channels)
        self.second_norm = nn.GroupNorm(groups, out_channels)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.straight = (
            nn.Identity()
            if channels == out_channels
            else nn.Conv2d(channels, out_channels, 1)
        )
        for layer in (
            self.scale_shift,
            self.second,
        ):  # an untrained block changes nothing
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        embedding: Float[Tensor, "batch embedding"],
    ) -> Float[Tensor, "batch out_channel height width"]:
        """Return new features for each pixel."""
        hidden = self.first(functional.silu(self.first_norm(x)))
        scale, shift = self.scale_shift(functional.silu(embedding))[
            :, :, None, None
        ].chunk(2, dim=1)
        hidden = self.second_norm(hidden) * (1 + scale) + shift
        return self.straight(x) + self.second(functional.silu(hidden))


class PixelAttention(nn.Module):
    """Lets every place of an image look at every other: the places are the tokens.

    Args:
        channels: The number of features of each place.
        heads: How many heads share them.
        groups: How many groups of features the norm treats apart.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, appendix B,
    https://arxiv.org/abs/2006.11239
    """

    def __init__(self, channels: int, heads: int, groups: int = 8):
        super().__init__()
        _check_groups(groups, channels)
        self.norm = nn.GroupNorm(groups, channels)
        self.attention = MultiHeadAttention(channels, heads, bias=True, causal=False)
        nn.init.zeros_(self.attention.output.weight)

    def forward(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Add to each place what it finds in the others."""
        return x + from_tokens(self.attention(to_tokens(self.norm(x))), x)


class TextAttention(nn.Module):
    """Lets every place of an image look at the words of its text: cross-attention.

    Args:
        channels: The number of features of each place, which asks.
        text_width: The number of features of each word, which is asked.
        heads: How many heads share them.
        groups: How many groups of features the norm treats apart.

    Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion
        Models, section 3.3, https://arxiv.org/abs/2112.10752
    """

    def __init__(self, channels: int, text_width: int, heads: int, groups: int = 8):
        super().__init__()
        _check_groups(groups, channels)
        self.norm = nn.GroupNorm(groups, channels)
        self.attention = MultiHeadAttention(
            channels, heads, bias=True, source_width=text_width
        )
        nn.init.zeros_(self.attention.output.weight)

    def forward(
        self, x: Float[Tensor, "batch channel height width"], text: TextCondition
    ) -> Float[Tensor, "batch channel height width"]:
        """Add to each place what it finds in the text."""
        found = self.attention(
            to_tokens(self.norm(x)),
            AttentionContext(text.mask[:, None, None]),
            source=text.tokens,
        )
        return x + from_tokens(found, x)

    def weights(
        self, x: Float[Tensor, "batch channel height width"], text: TextCondition
    ) -> Float[Tensor, "batch head token height width"]:
        """Return how much each place takes from each word: for every word a map of
        where it is read.
        """
        maps = self.attention.weights(
            to_tokens(self.norm(x)),
            AttentionContext(text.mask[:, None, None]),
            source=text.tokens,
        )
        return maps.transpose(2, 3).unflatten(3, x.shape[2:])


class BottomBlock(nn.Module):
    """What the smallest level repeats: a residual block, attention over its places, and
    attention to a text if any.

    Args:
        channels: The number of features of each place.
        embedding_width: The number of features of the vector that says the time (and
            the label).
        heads: How many heads attention has.
        groups: How many groups of features the norms treat apart.
        text_width: The number of features of a word; None for images without text.
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
        self.pixels = PixelAttention(channels, heads, groups)
        self.text = (
            None
            if text_width is None
            else TextAttention(channels, text_width, heads, groups)
        )

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        embedding: Float[Tensor, "batch embedding"],
        text: TextCondition | None = None,
    ) -> Float[Tensor, "batch channel height width"]:
        """Return new features for each place."""
        x = self.pixels(self.residual(x, embedding))
        return x if self.text is None else self.text(x, text)


def to_tokens(
    x: Float[Tensor, "batch channel height width"],
) -> Float[Tensor, "batch position channel"]:
    """Lines up the places of an image, row by row.

    >>> import torch
    >>> to_tokens(torch.zeros(2, 8, 7, 7)).shape
    torch.Size([2, 49, 8])
    """
    return x.flatten(2).transpose(1, 2)


def from_tokens(
    tokens: Float[Tensor, "batch position channel"],
    like: Float[Tensor, "batch _ height width"],
) -> Float[Tensor, "batch channel height width"]:
    """Put the places back into rows as long as those of `like`."""
    return tokens.transpose(1, 2).unflatten(2, like.shape[2:])


def _check_groups(groups: int, *channels: int) -> None:
    for number in channels:
        if groups < 1 or number % groups:
            raise ValueError(
                f"groups must divide the number of channels, got {groups=} and "
                f"{number} channels."
            )
