"""The diffusion Transformer (DiT): an image is split into patches, each patch becomes a
token, and adaptive norms carry timestep and label.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import AttentionContext, FeedForward, MultiHeadAttention

from .condition import Condition, ConditionedNetwork, TextCondition


def patchify(
    images: Float[Tensor, "batch channel height width"], patch_size: int
) -> Float[Tensor, "batch patch pixels"]:
    """Split images into patches, row by row; each patch is flattened, one channel after
    the other.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, section 3.1,
        https://arxiv.org/abs/2010.11929
    """
    # batch channel row y column x
    grid = images.unflatten(2, (-1, patch_size)).unflatten(4, (-1, patch_size))
    return grid.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpatchify(
    patches: Float[Tensor, "batch patch pixels"], patch_size: int, height: int
) -> Float[Tensor, "batch channel height width"]:
    """Put the patches back together: the inverse of `patchify`."""
    grid = patches.unflatten(1, (height // patch_size, -1))
    grid = grid.unflatten(3, (-1, patch_size, patch_size))
    return grid.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def grid_positions(rows: int, columns: int, width: int) -> Float[Tensor, "patch width"]:
    """Return a sinusoidal position embedding: half of its features encode the column of
    a patch, the other half its row.

    Source: Peebles and Xie, Scalable Diffusion Models with Transformers, section 3.2,
        https://arxiv.org/abs/2212.09748
    """
    if width % 4:
        raise ValueError(
            "width must be a multiple of 4, so that sines and cosines share it; got "
            f"{width}."
        )
    row, column = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).T
    return torch.cat(
        [_sinusoids(position, width // 2) for position in (column, row)], dim=1
    )


def _sinusoids(position: Tensor, width: int) -> Tensor:
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.outer(position.float(), frequencies)
    return torch.cat((angles.sin(), angles.cos()), dim=1)


@dataclass(frozen=True)
class DiTConfig:
    """The settings of a Diffusion Transformer.

    Attributes:
        image_channels: 1 for grey, 3 for colour.
        image_size: The side of the images in pixels.
        patch_size: The side of the patches that become tokens; must divide
            `image_size`.
        width: The number of features of a token, a multiple of four.
        layers: The number of blocks, one after the other.
        heads: The number of attention heads in a block; must divide `width`.
        feed_forward_width: The number of features inside the feed-forward layer; None
            means four times `width`.
        query_key_norm: If true, queries and keys are normalized, which speeds up
            training.
        sinusoidal_width: The number of sinusoidal features of the timestep.
        classes: The number of labels, if images have labels; one more means "no label".
        text_width: The number of features of a text's token, if images have texts.
        time_scale: Factor for the timesteps: 1 for timesteps up to 1,000, 1,000 for
            times from 0 to 1.

    Raises:
        ValueError: If the patches do not fit.

    >>> DiTConfig(image_size=28, patch_size=8)
    Traceback (most recent call last):
    ...
    ValueError: patch_size must divide image_size, got patch_size=8 and image_size=28.
    """

    image_channels: int = 1
    image_size: int = 28
    patch_size: int = 4
    width: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward_width: int | None = None
    query_key_norm: bool = True
    sinusoidal_width: int = 256
    classes: int | None = 10
    text_width: int | None = None
    time_scale: float | int = 1

    def __post_init__(self):
        if self.image_size % self.patch_size:
            raise ValueError(
                f"patch_size must divide image_size, got patch_size={self.patch_size} "
                f"and image_size={self.image_size}."
            )


class AdaptiveNorm(nn.Module):
    """LayerNorm whose scale and shift are computed from timestep and label, per image.

    Source: Peebles and Xie, Scalable Diffusion Models with Transformers, section 3.2
        (adaLN), https://arxiv.org/abs/2212.09748
    """

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)

    def forward(
        self,
        x: Float[Tensor, "batch token width"],
        shift: Float[Tensor, "batch 1 width"],
        scale: Float[Tensor, "batch 1 width"],
    ) -> Float[Tensor, "batch token width"]:
        """Return normalized tokens, times 1 + scale, plus shift."""
        return self.norm(x) * (1 + scale) + shift


class DiTBlock(nn.Module):
    """Attention, then feed-forward, each with a residual connection; the embedding of
    the timestep gives scale, shift and gate of both.

        x ─┬─ adaptive norm ─ attention ─ · gate ─(+)─ y
           └───────────────────────────────────────┘
        y ─┬─ adaptive norm ─ feed-forward ─ · gate ─(+)─ out
           └──────────────────────────────────────────┘

    All gates are initialized to zero, so that an untrained block is the identity: that
    is the "Zero" of adaLN-Zero. If images have texts, cross-attention to the text comes
    between the two.

    Source: Peebles and Xie, Scalable Diffusion Models with Transformers, section 3.2
        and figure 3 (adaLN-Zero), https://arxiv.org/abs/2212.09748; Chen et al.,
        PixArt-alpha, section 2.3 (attention to the text),
        https://arxiv.org/abs/2310.00426
    """

    def __init__(self, config: DiTConfig):
        super().__init__()
        width = config.width
        self.modulation = nn.Linear(width, 6 * width)
        self.attention_norm = AdaptiveNorm(width)
        self.attention = MultiHeadAttention(
            width,
            config.heads,
            bias=True,
            query_key_norm=config.query_key_norm,
            causal=False,
        )
        self.text_norm = self.text_attention = None
        if config.text_width is not None:
            self.text_norm = nn.LayerNorm(width, eps=1e-6)
            self.text_attention = MultiHeadAttention(
                width, config.heads, bias=True, source_width=config.text_width
            )
            _zero(self.text_attention.output)
        self.feed_forward_norm = AdaptiveNorm(width)
        self.feed_forward = FeedForward(
            width, config.feed_forward_width or 4 * width, "gelu_tanh", bias=True
        )
        _zero(self.modulation)

    def forward(
        self,
        x: Float[Tensor, "batch token width"],
        embedding: Float[Tensor, "batch width"],
        text: TextCondition | None = None,
    ) -> Float[Tensor, "batch token width"]:
        """Apply attention and feed-forward, each with a residual connection."""
        modulation = self.modulation(functional.silu(embedding))[:, None]
        shift, scale, gate, feed_shift, feed_scale, feed_gate = modulation.chunk(
            6, dim=2
        )
        x = x + gate * self.attention(self.attention_norm(x, shift, scale))
        if self.text_attention is not None:
            x = x + self.text_attention(
                self.text_norm(x),
                AttentionContext(text.mask[:, None, None]),
                source=text.tokens,
            )
        return x + feed_gate * self.feed_forward(
            self.feed_forward_norm(x, feed_shift, feed_scale)
        )


class DiT(ConditionedNetwork):
    """A Transformer that maps a noisy image, its timestep and its condition to an
    output of the image's shape.

    The training loss decides whether that is the noise, the image or a velocity.

    Raises:
        ValueError: If there are labels and texts at once.

    Source: Peebles and Xie, Scalable Diffusion Models with Transformers, figure 3,
    https://arxiv.org/abs/2212.09748

    >>> images, times = torch.zeros(2, 1, 28, 28), torch.tensor([0.0, 999.0])
    >>> DiT(DiTConfig())(images, times, torch.tensor([3, 10])).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(self, config: DiTConfig, seed: int = 0):
        super().__init__()
        self.config = config
        side = config.image_size // config.patch_size
        pixels = config.image_channels * config.patch_size**2
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._make_embeddings(config.width, config.sinusoidal_width)
            self.patch_embedding = nn.Linear(pixels, config.width)
            self.blocks = nn.ModuleList(DiTBlock(config) for _ in range(config.layers))
            self.modulation = nn.Linear(config.width, 2 * config.width)
            self.norm = AdaptiveNorm(config.width)
            self.head = nn.Linear(config.width, pixels)
        self.register_buffer(
            "positions", grid_positions(side, side, config.width), persistent=False
        )
        _zero(self.modulation)
        _zero(self.head)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Float[Tensor, "batch"],
        condition: Condition = None,
    ) -> Float[Tensor, "batch channel height width"]:
        """Return the prediction for noisy images.

        Args:
            t: The timestep of each, in the unit of the path that noised them.
            condition: A label for each image, or texts, as the config says; None for no
                label.

        Raises:
            ValueError: If the images have another size, or the condition is not of the
                config's kind.
        """
        size, patch = self.config.image_size, self.config.patch_size
        embedding, text = self.embed(x, t, condition)
        tokens = self.patch_embedding(patchify(x, patch)) + self.positions
        for block in self.blocks:
            tokens = block(tokens, embedding, text)
        modulation = self.modulation(functional.silu(embedding))[:, None]
        tokens = self.norm(tokens, *modulation.chunk(2, dim=2))
        return unpatchify(self.head(tokens), patch, size)


def _zero(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
