"""Small networks for points on a line or in a plane, which train in seconds."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .minibatch import MinibatchDeviation


def multilayer_perceptron(
    sizes: Sequence[int], generator: torch.Generator
) -> nn.Sequential:
    """Build a network of linear layers with ReLU between them.

    Source: He et al. (2015), Delving deep into rectifiers, equation 10, for the scale
        of the initial weights, https://arxiv.org/abs/1502.01852
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(
            "sizes must be at least two whole numbers above 0, for input and output, "
            f"got {sizes}."
        )
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class PointGenerator(nn.Module):
    """Turns noise into points.

    Args:
        latent: Number of noise values per point.
        dim: Number of coordinates of a point.
        width: Width of the two hidden layers.
        seed: Seed of the initial weights.

    >>> generator = PointGenerator(latent=2)
    >>> generator(torch.randn(5, 2)).shape
    torch.Size([5, 2])
    """

    def __init__(self, latent: int = 2, dim: int = 2, width: int = 64, seed: int = 0):
        super().__init__()
        self.latent = latent
        self.net = multilayer_perceptron(
            (latent, width, width, dim), torch.Generator().manual_seed(seed)
        )

    def forward(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch dim"]:
        """Return one point per row of noise."""
        return self.net(z)


class PointDiscriminator(nn.Module):
    """Scores points: high if a point looks real.

    >>> PointDiscriminator()(torch.randn(5, 2)).shape
    torch.Size([5])
    """

    def __init__(self, dim: int = 2, width: int = 64, seed: int = 0):
        super().__init__()
        self.net = multilayer_perceptron(
            (dim, width, width, 1), torch.Generator().manual_seed(seed)
        )

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch"]:
        """Return one score per point; its sigmoid is the probability of "real"."""
        return self.net(x).squeeze(1)


class BatchDiscriminator(nn.Module):
    """A discriminator of points with minibatch standard deviation as an extra input.

    >>> discriminator = BatchDiscriminator()
    >>> point = torch.tensor([[1.0, 0.0]])
    >>> alone, among_others = (
    ...     discriminator(point),
    ...     discriminator(torch.cat([point, -point])),
    ... )
    >>> bool(alone[0] == among_others[0])
    False
    """

    def __init__(self, dim: int = 2, width: int = 64, seed: int = 0):
        super().__init__()
        layers = multilayer_perceptron(
            (dim + 1, width, width, 1), torch.Generator().manual_seed(seed)
        )
        self.net = nn.Sequential(MinibatchDeviation(), *layers)

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch"]:
        """Return one score per point of a batch that is all real or all generated."""
        return self.net(x).squeeze(1)
