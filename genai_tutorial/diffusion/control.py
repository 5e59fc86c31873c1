"""ControlNet: a trained copy of half a U-Net reads an image, such as an outline, and
adds to the features of the frozen U-Net.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .condition import TextCondition
from .unet import Residuals, UNet, UNetConfig

_HINT_CHANNELS = 16


class ControlNet(nn.Module):
    """The second network: stem, way down and bottleneck of a U-Net, an encoder of the
    hint, and a zero convolution before each of its outputs.

    Its own weights are those of an untrained U-Net until `copy_from` replaces them. The
    hint has four times the side of the U-Net's stem: an outline in pixels, for a U-Net
    of latents.

    Args:
        config: The settings of the frozen U-Net.

    Source: Zhang et al., Adding Conditional Control to Text-to-Image Diffusion Models,
        equation 2 and figure 3, https://arxiv.org/abs/2302.05543

    >>> config = UNetConfig(image_channels=4, patch_size=1, image_size=8)
    >>> network, control = UNet(config), ControlNet(config)
    >>> control.copy_from(network)
    >>> x, t = torch.zeros(2, 4, 8, 8), torch.zeros(2)
    >>> embedding, text = network.embed(x, t, None)
    >>> residuals = control(x, embedding, text, torch.ones(2, 1, 32, 32))
    >>> residuals.middle.abs().max()
    tensor(0., grad_fn=<MaxBackward1>)
    """

    def __init__(self, config: UNetConfig, seed: int = 0):
        super().__init__()
        whole, channels = UNet(config, seed), config.channels
        self.stem, self.positions = whole.stem, whole.positions
        self.down, self.downsample = whole.down, whole.downsample
        self.middle = whole.middle
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.hint = _hint_encoder(channels[0])
        self.hint_zero = zero_convolution(channels[0])
        self.skip_zeros = nn.ModuleList(
            zero_convolution(width)
            for width in channels[:-1]
            for _ in range(config.blocks)
        )
        self.middle_zero = zero_convolution(channels[-1])

    def copy_from(self, network: UNet) -> None:
        """Copy the weights of the stem, the way down and the bottleneck from a trained
        U-Net with the same settings.
        """
        own = self.state_dict()
        copied = {
            name: weight for name, weight in network.state_dict().items() if name in own
        }
        self.load_state_dict(own | copied)

    def forward(
        self,
        x: Float[Tensor, "batch channel height width"],
        embedding: Float[Tensor, "batch embedding"],
        text: TextCondition | None,
        hint: Float[Tensor, "batch 1 hint_height hint_width"],
    ) -> Residuals:
        """Return what to add to the frozen U-Net's features.

        Args:
            embedding: Of timestep and condition, as the frozen U-Net's `embed` returns
                it.
            text: The second result of `embed`.
            hint: The image to follow, with values from 0 to 1.
        """
        hidden = self.stem(x) + self.hint_zero(self.hint(hint))
        features = []
        for blocks, downsample in zip(self.down, self.downsample, strict=True):
            for block in blocks:
                hidden = block(hidden, embedding)
                features.append(hidden)
            hidden = downsample(hidden)
        if self.positions is not None:
            hidden = hidden + self.positions
        for block in self.middle:
            hidden = block(hidden, embedding, text)
        skips = [
            zero(feature)
            for zero, feature in zip(self.skip_zeros, features, strict=True)
        ]
        return Residuals(skips, self.middle_zero(hidden))


def zero_convolution(channels: int) -> nn.Conv2d:
    """Return a 1×1 convolution with weights and biases of zero: its output is zero, and
    its gradient is not.

    Source: Zhang et al., Adding Conditional Control to Text-to-Image Diffusion Models,
        section 3.1, https://arxiv.org/abs/2302.05543

    >>> layer = zero_convolution(1)
    >>> layer(torch.full((1, 1, 1, 1), 3.0)).sum().backward()
    >>> layer.weight.grad.item()
    3.0
    """
    layer = nn.Conv2d(channels, channels, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _hint_encoder(channels: int) -> nn.Sequential:
    """Return three convolutions, of which two halve the side."""
    first, second = _HINT_CHANNELS, 2 * _HINT_CHANNELS
    return nn.Sequential(
        nn.Conv2d(1, first, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Conv2d(first, second, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Conv2d(second, channels, 3, padding=1),
    )
