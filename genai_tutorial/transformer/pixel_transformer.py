"""An autoregressive image Transformer: the chain rule of probability, pixel by pixel,
over grey levels.

    p(image) = p(pixel 1) p(pixel 2 | pixel 1) p(pixel 3 | pixels 1 and 2) ...

An image of 28 by 28 has 784 pixels, and a Transformer with one token per pixel is slow.
Therefore, the tokens are patches of 4 by 4 pixels, in rows from the top left. A causal
Transformer reads the earlier patches and outputs features for the next one; a small
network then predicts its sixteen pixels one after another, from these features and from
the neighbouring pixels. Every pixel is part of the chain rule, so the likelihood is
exact.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .cache import KVCache
from .config import AttentionConfig, DecoderConfig, FeedForwardConfig, NormConfig
from .context import AttentionContext
from .decoder import DecoderBlock
from .layers import RMSNorm


@dataclass(frozen=True)
class PixelConfig:
    """The settings of a pixel Transformer.

    Attributes:
        side: Height and width of an image.
        patch: Height and width of a patch; must divide `side`.
        width: The number of features of a patch.
        sight: The radius of the small network's neighbourhood: it reads the earlier
            pixels up to this many rows and columns away.
        hidden: The number of hidden features of the small network.

    Raises:
        ValueError: If `patch` does not divide `side`, or the neighbourhood would not
            cover a pixel's own patch.
    """

    side: int = 28
    patch: int = 4
    levels: int = 256
    width: int = 96
    layers: int = 2
    heads: int = 4
    sight: int = 3
    hidden: int = 128

    def __post_init__(self):
        if self.patch < 1 or self.side < 1 or self.side % self.patch:
            raise ValueError(
                f"patch must divide side, got {self.patch} and {self.side}."
            )
        if self.sight < max(self.patch - 1, 1):
            raise ValueError(
                f"sight must be at least patch - 1 = {self.patch - 1} and 1, so that a "
                "pixel sees those of its own patch that come before it, got "
                f"{self.sight}."
            )

    @property
    def patches(self) -> int:
        """The number of patches of an image."""
        return (self.side // self.patch) ** 2

    def decoder(self) -> DecoderConfig:
        """Return the Transformer's settings; positions enter as learned vectors for the
        row and the column of a patch.
        """
        return DecoderConfig(
            self.levels,
            self.patches,
            self.width,
            self.layers,
            AttentionConfig(self.heads, positions="none", query_key_norm=True),
            feed_forward=FeedForwardConfig(activation="squared_relu"),
            norm=NormConfig("rms"),
            bias=False,
        )


class PixelTransformer(nn.Module):
    """An autoregressive model of grey-level images: predicts each pixel from all pixels
    before it.

    Source: Parmar et al., Image Transformer, https://arxiv.org/abs/1802.05751; Yu et
        al., MEGABYTE, section 2 (a large model of patches and a small one inside them),
        https://arxiv.org/abs/2305.07185; van den Oord et al., Pixel Recurrent Neural
        Networks (the neighbouring pixels), https://arxiv.org/abs/1601.06759

    >>> model = PixelTransformer(PixelConfig(side=8, levels=4, width=16))
    >>> model(torch.zeros(2, 8, 8).long()).shape
    torch.Size([2, 8, 8, 4])
    """

    def __init__(self, config: PixelConfig, seed: int = 0):
        super().__init__()
        self.config = config
        order = _chain_order(config.side, config.patch)
        around = _known_around(config.side, config.patch, config.sight)
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("around", around, persistent=False)
        rows = config.side // config.patch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.read_patch = nn.Linear(config.patch**2, config.width)
            self.row = nn.Parameter(0.1 * torch.randn(rows, 1, config.width))
            self.column = nn.Parameter(0.1 * torch.randn(1, rows, config.width))
            self.blocks = nn.ModuleList(
                DecoderBlock(config.decoder(), layer=layer)
                for layer in range(config.layers)
            )
            for block in self.blocks:  # an untrained block is the identity
                for name, weight in block.named_parameters():
                    if name.endswith("output.weight"):
                        nn.init.zeros_(weight)
            self.norm = RMSNorm(config.width)
            self.expected = nn.Linear(config.width, config.hidden)
            self.place = nn.Parameter(torch.zeros(config.patch**2, config.hidden))
            self.look = nn.Linear(2 * around.shape[1], config.hidden, bias=False)
            self.mix = nn.Linear(config.hidden, config.hidden)
            self.head = nn.Linear(config.hidden, config.levels)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(
        self, images: Int[Tensor, "batch side side"]
    ) -> Float[Tensor, "batch side side level"]:
        """Return the logits of every level for each pixel, given the pixels before it.

        Raises:
            ValueError: If the images have another size, or a level is out of range.
        """
        self._check(images)
        brightness = self._brightness(images).flatten(1)
        patches = brightness[:, self.order].view(len(images), self.config.patches, -1)
        # shifted by one patch; before the first there are zeros
        read = self.read_patch(functional.pad(patches[:, :-1], (0, 0, 1, 0)))
        expected = self._patch_features(read + self._positions())
        logits = self._pixel_logits(
            expected.repeat_interleave(self.config.patch**2, dim=1),
            self.place.repeat(self.config.patches, 1),
            self._neighbours(brightness, self.around[self.order]),
        )
        return logits[:, self.order.argsort()].unflatten(1, images.shape[1:])

    def log_prob(
        self, images: Int[Tensor, "batch side side"]
    ) -> Float[Tensor, "batch"]:
        """Return the exact log-likelihood of each image in nats, by the chain rule."""
        logits = self(images).flatten(0, 2)
        return (
            -functional.cross_entropy(logits, images.flatten(), reduction="none")
            .view(len(images), -1)
            .sum(dim=1)
        )

    @torch.no_grad()
    def draw(
        self, count: int, generator: torch.Generator, temperature: float | int = 1.0
    ) -> Int[Tensor, "count side side"]:
        """Sample images pixel by pixel.

        With a `KVCache`, the Transformer reads each finished patch only once.

        Args:
            temperature: Divides the logits: below 1 favours probable levels.

        Raises:
            ValueError: If a number is out of range.
        """
        if count < 1 or not temperature > 0:
            raise ValueError(
                f"count must be at least 1 and temperature above 0, got {count} and "
                f"{temperature}."
            )
        config, device = self.config, self.place.device
        cache = KVCache(*config.decoder().cache_sizes(count), device=device)
        levels = torch.zeros(count, config.side**2, dtype=torch.long, device=device)
        brightness = levels.float()
        patch = torch.zeros(count, config.patch**2, device=device)
        for places, position in zip(
            self.order.view(config.patches, -1), self._positions(), strict=True
        ):
            read = (self.read_patch(patch) + position)[:, None]
            expected = self._patch_features(read, cache)
            for inside, place in enumerate(places):
                neighbours = self._neighbours(brightness, self.around[place][None])
                logits = self._pixel_logits(expected, self.place[inside], neighbours)
                probabilities = (logits[:, 0] / temperature).softmax(dim=1)
                drawn = torch.multinomial(
                    probabilities.to(generator.device), 1, generator=generator
                )[:, 0]
                levels[:, place] = drawn.to(device)
                brightness[:, place] = self._brightness(levels[:, place])
            patch = brightness[:, places]
        return levels.view(count, config.side, config.side)

    def parameter_count(self) -> int:
        """Return the number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _positions(self) -> Float[Tensor, "patch width"]:
        return (self.row + self.column).flatten(0, 1)

    def _patch_features(
        self, read: Float[Tensor, "batch patch width"], cache: KVCache | None = None
    ) -> Float[Tensor, "batch patch hidden"]:
        """Return the Transformer's features for the next patch; with a cache, `read`
        holds only the newest patch.
        """
        context = AttentionContext() if cache is None else cache.context()
        no_ids = torch.zeros(read.shape[:2], dtype=torch.long, device=read.device)
        with context.reading(no_ids):  # patches have no token ids
            for block in self.blocks:
                read = block(read, context)
        return self.expected(self.norm(read))

    def _neighbours(
        self,
        brightness: Float[Tensor, "batch pixel"],
        around: Int[Tensor, "place neighbour"],
    ) -> Float[Tensor, "batch place seen"]:
        """Return each neighbour's brightness, and 1 if it is not black, because most
        pixels are exactly black.
        """
        # index -1 stands for an unknown neighbour, which counts as 0
        values = functional.pad(brightness, (1, 0))[:, around + 1]
        return torch.cat((values, (values > 0).to(values.dtype)), dim=2)

    def _pixel_logits(
        self, expected: Tensor, place: Tensor, neighbours: Tensor
    ) -> Float[Tensor, "batch place level"]:
        hidden = functional.silu(expected + place + self.look(neighbours))
        return self.head(functional.silu(hidden + self.mix(hidden)))

    def _brightness(self, levels: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return levels / (self.config.levels - 1)

    def _check(self, images: Tensor) -> None:
        side, levels = self.config.side, self.config.levels
        shape = tuple(images.shape)
        if shape[1:] != (side, side):
            raise ValueError(f"images must be {side} by {side} pixels, got {shape}.")
        least, most = images.min(), images.max()
        if least < 0 or most >= levels:
            raise ValueError(
                f"levels must be from 0 to {levels - 1}, got {least} to {most}."
            )


def _chain_order(side: int, patch: int) -> Int[Tensor, "pixel"]:
    """Return the order of the pixels in the chain rule: patch by patch, and row by row
    within a patch; pixels are numbered row by row.
    """
    numbers = torch.arange(side * side).view(side // patch, patch, side // patch, patch)
    return numbers.transpose(1, 2).flatten()


def _known_around(side: int, patch: int, sight: int) -> Int[Tensor, "pixel neighbour"]:
    """Return the neighbours of each pixel that precede it in the chain; -1 for those
    that follow it or are outside the image.
    """
    turn = _chain_order(side, patch).argsort()
    reach = range(-sight, sight + 1)
    steps = torch.tensor(
        [(down, right) for down in reach for right in reach if (down, right) != (0, 0)]
    )
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    rows, columns = (places[:, None] + steps).unbind(dim=2)
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    numbers = rows.clamp(0, side - 1) * side + columns.clamp(0, side - 1)
    known = inside & (turn[numbers] < turn[:, None])
    found = torch.where(known, numbers, -1)
    return found[:, known.any(dim=0)] if known.any() else found
