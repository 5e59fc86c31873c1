"""Normalizing flows: invertible maps from data to standard normal numbers, whose
densities are exact by the change-of-variables formula

    log p(x) = log N(z; 0, I) + log |det dz/dx|        z = f(x)
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .gaussian import LOG_TWO_PI

_MAX_LOG_SCALE = 3.0  # a layer scales by e^-3 to e^3
_SMOOTHING = 0.1  # added to every count of a level


class AffineCoupling(nn.Module):
    """Keep some coordinates; scale and shift the others by numbers that a network
    computes from those kept: z = x exp(s) + t.

    Args:
        keep: True for each coordinate that stays as it is.
        network: Maps rows of `dim` numbers, zero where changed, to 2 dim numbers: first
            the s of every coordinate, then the t. It need not be invertible.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), Density estimation using Real NVP,
    equations 7 to 9.
    """

    keep: Tensor

    def __init__(self, keep: Bool[Tensor, "dim"], network: nn.Module) -> None:
        super().__init__()
        self.register_buffer("keep", keep)
        self.network = network

    def _scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute s and t, both zero for what is kept."""
        s, t = self.network(x * self.keep).chunk(2, dim=1)
        s = _MAX_LOG_SCALE * torch.tanh(s / _MAX_LOG_SCALE)
        return s * ~self.keep, t * ~self.keep

    def forward(
        self, x: Float[Tensor, "n dim"]
    ) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n"]]:
        """Return z and `log |det dz/dx|`, the sum of s: the Jacobian is triangular."""
        s, t = self._scale_and_shift(x)
        return x * s.exp() + t, s.sum(dim=1)

    def inverse(self, z: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """Return x: the same network runs on the kept part, which z still has."""
        s, t = self._scale_and_shift(z)
        return (z - t) * (-s).exp()


class RealNVP(nn.Module):
    """A stack of coupling layers, with the interface of a `Density`.

    Args:
        masks: What each layer keeps. Every coordinate must be kept by some layer and
            changed by another.
        make_network: Returns a new network for a layer.

    Raises:
        ValueError: If a coordinate is kept by every layer or by none.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), Density estimation using Real NVP.

    >>> masks = torch.tensor([[True, False], [False, True]])
    >>> flow = RealNVP(masks, lambda: nn.Linear(2, 4))
    >>> z, log_det = flow(torch.tensor([[0.5, -1.0]]))
    >>> torch.allclose(flow.inverse(z), torch.tensor([[0.5, -1.0]]), atol=1e-5)
    True
    """

    def __init__(
        self, masks: Bool[Tensor, "layers dim"], make_network: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        if masks.all(dim=0).any() or not masks.any(dim=0).all():
            raise ValueError(
                "every coordinate must be kept by some layer and changed by another; "
                "alternate a mask with its opposite"
            )
        self.dim = masks.shape[1]
        self.layers = nn.ModuleList(
            AffineCoupling(keep, make_network()) for keep in masks
        )

    def forward(
        self, x: Float[Tensor, "n dim"]
    ) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n"]]:
        """Return z and `log |det dz/dx|`: the layers' log-determinants add up."""
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, log_det = layer(x)
            total = total + log_det
        return x, total

    def inverse(self, z: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """Return x, layer by layer from the last to the first."""
        for layer in reversed(self.layers):
            z = layer.inverse(z)
        return z

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return the exact logarithm of the density at each row, in nats."""
        z, log_det = self(x)
        return log_det - 0.5 * (z.square() + LOG_TWO_PI).sum(dim=1)

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw new rows: one pass through the inverse of the layers."""
        z = torch.randn(count, self.dim, generator=generator)
        return self.inverse(z.to(next(self.parameters()).device))

    def parameter_count(self) -> int:
        """Return the number of parameters of all networks."""
        return sum(parameter.numel() for parameter in self.parameters())


class Gaussianize:
    """The first layer of a flow of images: each pixel's distribution function, then the
    normal quantile, so that every pixel alone becomes standard normal.

    Args:
        levels: Training images; each pixel's levels are counted, with 0.1 added.
        count: The number of grey levels; pixels run from 0 to 1.

    Source: Laparra, Camps-Valls and Malo (2011), Iterative Gaussianization.
    """

    def __init__(self, levels: Int[Tensor, "n dim"], count: int) -> None:
        self.count = count
        seen = nn.functional.one_hot(levels, count).sum(dim=0).double() + _SMOOTHING
        self.probability = seen / seen.sum(dim=1, keepdim=True)  # dim, count
        self.below = self.probability.cumsum(dim=1) - self.probability

    def __call__(
        self, x: Float[Tensor, "n dim"]
    ) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n"]]:
        """Return z and `log |det dz/dx|` of dequantized pixels from 0 to 1."""
        level = (x.double() * self.count).floor().clamp(0, self.count - 1)
        pixel, chosen = torch.arange(x.shape[1], device=x.device), level.long()
        p = self.probability[pixel, chosen]
        u = self.below[pixel, chosen] + p * (x.double() * self.count - level)
        z = torch.special.ndtri(u.clamp(1e-9, 1 - 1e-9))
        log_slope = (self.count * p).log() + 0.5 * (z.square() + LOG_TWO_PI)
        return z, log_slope.sum(dim=1)

    def inverse(self, z: Float[Tensor, "n dim"]) -> Int[Tensor, "n dim"]:
        """Return the grey level of each pixel."""
        u = torch.special.ndtr(z.double()).T.contiguous()
        found = torch.searchsorted(self.below.contiguous(), u, right=True) - 1
        return found.clamp(0, self.count - 1).T
