"""The U-Net: downsampling, a bottleneck with attention, and upsampling with skip
connections.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .condition import Condition, ConditionedNetwork
from .unet_blocks import MiddleBlock, ResidualBlock


@dataclass(frozen=True)
class UNetConfig:
    """The settings of a U-Net.

    Attributes:
        image_channels: 1 for grey, 3 for colour.
        patch_size: The side of the patches of pixels that the stem turns into one
            position; 1 keeps every pixel, 2 makes the network four times cheaper.
        channels: The number of channels at each level, from the highest resolution to
            the lowest; each level has half the side of the one before.
        blocks: The number of residual blocks per level, on the way down and again on
            the way up.
        middle_blocks: The number of blocks in the bottleneck, at the lowest
            resolution, each with attention.
        embedding_width: The width of the embedding of timestep and label.
        classes: The number of labels, if images have labels; one more means "no label".
        text_width: The number of features of a token, if images have texts.
        time_scale: Factor for the timesteps: 1 for timesteps up to 1,000, 1,000 for
            times from 0 to 1.
        image_size: The side of the images, for a learned position embedding at the
            lowest resolution; None takes images of any size.

    Raises:
        ValueError: If the patch size or the size of the images is out of range.
    """

    image_channels: int = 1
    patch_size: int = 2
    channels: tuple[int, ...] = (32, 64)
    blocks: int = 1
    middle_blocks: int = 2
    heads: int = 4
    groups: int = 8
    embedding_width: int = 128
    classes: int | None = 10
    text_width: int | None = None
    time_scale: float | int = 1
    image_size: int | None = None

    def __post_init__(self):
        # a card in JSON gives a list
        object.__setattr__(self, "channels", tuple(self.channels))
        if self.patch_size > 1 and self.patch_size % 2:
            raise ValueError(f"patch_size must be 1 or even, got {self.patch_size}.")
        if self.image_size is not None and self.image_size % self.downsampling_factor:
            raise ValueError(
                f"image_size must be a multiple of {self.downsampling_factor}, the "
                f"downsampling factor; got {self.image_size}."
            )

    @property
    def downsampling_factor(self) -> int:
        """The factor between an image's side and the lowest resolution's; it must
        divide the sides of an image.

        >>> UNetConfig(patch_size=2, channels=(32, 64)).downsampling_factor
        4
        """
        return self.patch_size * 2 ** (len(self.channels) - 1)


@dataclass(frozen=True)
class Residuals:
    """What a second network adds to the features of a U-Net.

    Attributes:
        skips: One addend for each skip connection, in the order of the way down.
        middle: The addend for the output of the bottleneck.
    """

    skips: Sequence[Float[Tensor, "batch _ _ _"]]
    middle: Float[Tensor, "batch channel height width"]

    def scaled(self, factor: float | int) -> "Residuals":
        """Return the addends multiplied by a factor.

        >>> one = torch.ones(1, 2, 4, 4)
        >>> Residuals([one], one).scaled(0.5).middle.mean()
        tensor(0.5000)
        """
        return Residuals([factor * skip for skip in self.skips], factor * self.middle)


class UNet(ConditionedNetwork):
    """A U-Net that maps a noisy image, its timestep and its condition to an output of
    the image's shape.

    The training loss decides whether that is the noise, the image or a velocity.

    Raises:
        ValueError: If there are labels and texts at once.

    Source: Ronneberger et al., U-Net, figure 1, https://arxiv.org/abs/1505.04597; Ho et
        al., Denoising Diffusion Probabilistic Models, appendix B,
        https://arxiv.org/abs/2006.11239

    >>> images, times = torch.zeros(2, 1, 28, 28), torch.tensor([0.0, 999.0])
    >>> UNet(UNetConfig())(images, times, torch.tensor([3, 10])).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(self, config: UNetConfig, seed: int = 0):
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build(config)

    def _build(self, config: UNetConfig) -> None:
        width, channels, groups = config.embedding_width, config.channels, config.groups
        self._make_embeddings(width)

        def residual_blocks(before: int, after: int) -> nn.ModuleList:
            return nn.ModuleList(
                ResidualBlock(before, after, width, groups)
                for _ in range(config.blocks)
            )

        self.stem = _stem(config.image_channels, channels[0], config.patch_size)
        self.down, self.downsample = nn.ModuleList(), nn.ModuleList()
        for fine, coarse in pairwise(channels):
            self.down.append(residual_blocks(fine, fine))
            self.downsample.append(nn.Conv2d(fine, coarse, 2, stride=2))
        self.positions = None
        if config.image_size is not None:
            side = config.image_size // config.downsampling_factor
            self.positions = nn.Parameter(torch.zeros(channels[-1], side, side))
        self.middle = nn.ModuleList(
            MiddleBlock(channels[-1], width, config.heads, groups, config.text_width)
            for _ in range(config.middle_blocks)
        )
        self.upsample, self.up = nn.ModuleList(), nn.ModuleList()
        for coarse, fine in pairwise(reversed(channels)):
            self.upsample.append(nn.ConvTranspose2d(coarse, fine, 2, stride=2))
            self.up.append(residual_blocks(2 * fine, fine))
        self.norm = nn.GroupNorm(groups, channels[0])
        self.head = _head(channels[0], config.image_channels, config.patch_size)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        t: Float[Tensor, "batch"],
        condition: Condition = None,
        residuals: Residuals | None = None,
    ) -> Float[Tensor, "batch _ height width"]:
        """Return the prediction for noisy images, with `image_channels` channels.

        Args:
            t: The timestep of each, in the unit of the path that noised them.
            condition: A label for each image, or texts, as the config says; None for no
                label.
            residuals: Addends for the features, as a `ControlNet` returns them.

        Raises:
            ValueError: If the image cannot be downsampled often enough, or the
                condition is not of the config's kind.
        """
        embedding, text = self.embed(x, t, condition)
        hidden, skips = self.stem(x), []
        for blocks, downsample in zip(self.down, self.downsample, strict=True):
            for block in blocks:
                hidden = block(hidden, embedding)
                skips.append(hidden)
            hidden = downsample(hidden)
        if self.positions is not None:
            hidden = hidden + self.positions
        for block in self.middle:
            hidden = block(hidden, embedding, text)
        if residuals is not None:
            skips = [a + b for a, b in zip(skips, residuals.skips, strict=True)]
            hidden = hidden + residuals.middle
        for upsample, blocks in zip(self.upsample, self.up, strict=True):
            hidden = upsample(hidden)
            for block in blocks:
                hidden = block(torch.cat((hidden, skips.pop()), dim=1), embedding)
        return self.head(functional.silu(self.norm(hidden)))

    def _check(self, x: Tensor, condition: Condition) -> None:
        factor = self.config.downsampling_factor
        if x.shape[2] % factor or x.shape[3] % factor:
            raise ValueError(
                f"The sides of an image must be multiples of {factor} for this "
                f"network, got {tuple(x.shape[2:])}."
            )
        super()._check(x, condition)


def _stem(image_channels: int, channels: int, patch: int) -> nn.Module:
    """Return the first convolution, from pixels to patches, which overlap by half so
    that no seam shows.
    """
    if patch == 1:
        return nn.Conv2d(image_channels, channels, 3, padding=1)
    return nn.Conv2d(
        image_channels, channels, 2 * patch, stride=patch, padding=patch // 2
    )


def _head(channels: int, image_channels: int, patch: int) -> nn.Module:
    """Return the last convolution, from patches to pixels, initialized to zero."""
    if patch == 1:
        layer = nn.Conv2d(channels, image_channels, 3, padding=1)
    else:
        layer = nn.ConvTranspose2d(
            channels, image_channels, 2 * patch, stride=patch, padding=patch // 2
        )
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
