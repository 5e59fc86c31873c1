"""SEANet: an encoder from a wave to vectors by strided convolutions, and the decoder
that mirrors it. The networks of SoundStream and EnCodec.
"""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.runtime import torch_seed


@dataclass(frozen=True)
class SeanetConfig:
    """The settings of an encoder and its decoder.

    Attributes:
        channels: Channels at the wave's own rate; each stride doubles them.
        strides: The encoder's strides, from the wave to the vectors; their product is
            the number of samples per vector.
        dim: Dimension of a vector.
        kernel: Kernel size of the first and the last convolution of both networks.

    Raises:
        ValueError: If a size is below 1, the number of channels is odd, or there is no
            stride.

    >>> SeanetConfig(channels=16, strides=(4, 4, 8), dim=32).hop
    128
    """

    channels: int
    strides: tuple[int, ...]
    dim: int
    kernel: int = 7

    def __post_init__(self):
        if not self.strides or min(self.strides) < 1:
            raise ValueError(
                f"there must be strides of at least 1, got strides={self.strides}."
            )
        if self.channels < 2 or self.channels % 2 or min(self.dim, self.kernel) < 1:
            raise ValueError(
                "channels must be even, and dim and kernel at least 1, got "
                f"channels={self.channels}, dim={self.dim}, kernel={self.kernel}."
            )

    @property
    def hop(self) -> int:
        """Samples per vector."""
        return math.prod(self.strides)


class CausalConv(nn.Module):
    """A convolution that never looks ahead: all padding is on the left, apart from the
    zeros that complete the last stride.

    Source: Défossez et al., High Fidelity Neural Audio Compression, section 3.1,
        https://arxiv.org/abs/2210.13438
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.stride, self.past = stride, kernel - stride
        self.convolution = nn.Conv1d(inputs, outputs, kernel, stride)

    def forward(
        self, x: Float[Tensor, "batch inputs time"]
    ) -> Float[Tensor, "batch outputs steps"]:
        """Return one output for each stride that has begun."""
        return self.convolution(
            functional.pad(x, (self.past, -x.shape[-1] % self.stride))
        )


class CausalTransposedConv(nn.Module):
    """The reverse of a strided `CausalConv`: `stride` outputs for each input, of which
    none depends on a later input.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        self.excess = kernel - stride
        self.convolution = nn.ConvTranspose1d(inputs, outputs, kernel, stride)

    def forward(
        self, x: Float[Tensor, "batch inputs steps"]
    ) -> Float[Tensor, "batch outputs time"]:
        """Return the outputs; what hangs over at the end is cut off."""
        whole = self.convolution(x)
        return whole[..., : whole.shape[-1] - self.excess]


class ResidualUnit(nn.Module):
    """Two convolutions through half the channels, beside a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.near = CausalConv(channels, channels // 2, kernel=3)
        self.mix = CausalConv(channels // 2, channels, kernel=1)
        self.shortcut = CausalConv(channels, channels, kernel=1)

    def forward(
        self, x: Float[Tensor, "batch channel time"]
    ) -> Float[Tensor, "batch channel time"]:
        """Add what the convolutions find to the shortcut."""
        inner = self.near(functional.elu(x))
        return self.shortcut(x) + self.mix(functional.elu(inner))


class SeanetEncoder(nn.Module):
    """From a wave to one vector per hop.

    Source: Tagliasacchi et al., SEANet, https://arxiv.org/abs/2009.02095
    """

    def __init__(self, config: SeanetConfig, seed: int):
        super().__init__()
        channels = config.channels
        with torch_seed(seed):
            layers: list[nn.Module] = [CausalConv(1, channels, config.kernel)]
            for stride in config.strides:
                layers += [
                    ResidualUnit(channels),
                    nn.ELU(),
                    CausalConv(channels, 2 * channels, 2 * stride, stride),
                ]
                channels *= 2
            layers += [nn.ELU(), CausalConv(channels, config.dim, config.kernel)]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, wave: Float[Tensor, "batch 1 time"]
    ) -> Float[Tensor, "batch dim frame"]:
        """Return the vectors; the last covers what is left of the wave."""
        return self.layers(wave)


class SeanetDecoder(nn.Module):
    """From one vector per hop to a wave."""

    def __init__(self, config: SeanetConfig, seed: int):
        super().__init__()
        channels = config.channels * 2 ** len(config.strides)
        with torch_seed(seed):
            layers: list[nn.Module] = [CausalConv(config.dim, channels, config.kernel)]
            for stride in reversed(config.strides):
                layers += [
                    nn.ELU(),
                    CausalTransposedConv(channels, channels // 2, 2 * stride, stride),
                    ResidualUnit(channels // 2),
                ]
                channels //= 2
            layers += [nn.ELU(), CausalConv(channels, 1, config.kernel)]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, vectors: Float[Tensor, "batch dim frame"]
    ) -> Float[Tensor, "batch 1 time"]:
        """Return `hop` samples for each vector."""
        return self.layers(vectors)
