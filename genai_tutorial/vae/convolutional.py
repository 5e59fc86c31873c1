"""A convolutional encoder and decoder: each stage halves or doubles the size."""

from jaxtyping import Float
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two convolutions with a residual connection; size and channels do not change.

    Source: He, Zhang, Ren and Sun, Identity Mappings in Deep Residual Networks,
        https://arxiv.org/abs/1603.05027
    """

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(_groups(channels), channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.GroupNorm(_groups(channels), channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )

    def forward(
        self, x: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n channels height width"]:
        """Add the output of the convolutions to the input."""
        return x + self.layers(x)


class ConvEncoder(nn.Module):
    """Maps images to a grid of features, with half the height and width at each
    stage.
    """

    def __init__(self, channels: int, features: int, width: int, stages: int):
        super().__init__()
        widths = _widths(width, stages)
        layers: list[nn.Module] = []
        for in_channels, out_channels in zip((channels, *widths), widths, strict=False):
            layers += [
                nn.Conv2d(
                    in_channels, out_channels, kernel_size=4, stride=2, padding=1
                ),
                ResidualBlock(out_channels),
            ]
        self.layers = nn.Sequential(
            *layers,
            nn.GroupNorm(_groups(widths[-1]), widths[-1]),
            nn.SiLU(),
            nn.Conv2d(widths[-1], features, 1),
        )

    def forward(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n features rows columns"]:
        """Return the grid of features."""
        factor = 2 ** sum(isinstance(layer, ResidualBlock) for layer in self.layers)
        if images.shape[2] % factor or images.shape[3] % factor:
            raise ValueError(
                f"height and width must be multiples of {factor}, got "
                f"{images.shape[2]} and {images.shape[3]}"
            )
        return self.layers(images)


class ConvDecoder(nn.Module):
    """Maps a grid of features to images; the mirror image of `ConvEncoder`, with the
    same arguments.
    """

    def __init__(self, channels: int, features: int, width: int, stages: int):
        super().__init__()
        widths = _widths(width, stages)[::-1]
        layers: list[nn.Module] = [nn.Conv2d(features, widths[0], kernel_size=1)]
        for in_channels, out_channels in zip(
            widths, (*widths[1:], channels), strict=True
        ):
            layers += [
                ResidualBlock(in_channels),
                nn.GroupNorm(_groups(in_channels), in_channels),
                nn.SiLU(),
            ]
            layers += [
                nn.ConvTranspose2d(
                    in_channels, out_channels, kernel_size=4, stride=2, padding=1
                )
            ]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, grid: Float[Tensor, "n features rows columns"]
    ) -> Float[Tensor, "n channels height width"]:
        """Return one number per channel and pixel; the range is not limited."""
        return self.layers(grid)


def _widths(width: int, stages: int) -> tuple[int, ...]:
    if stages < 1 or width < 1:
        raise ValueError(
            f"width and stages must be at least 1, got {width=}, {stages=}"
        )
    return tuple(width * 2**stage for stage in range(stages))


def _groups(channels: int) -> int:
    """Return the largest number of groups, up to 8, that divides the channels."""
    return next(
        groups for groups in range(min(8, channels), 0, -1) if channels % groups == 0
    )
