"""Networks for points on a line or in a plane: small enough to train in seconds and to
look at whole.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.gan.minibatch import MinibatchDeviation


def multilayer_perceptron(
    sizes: Sequence[int], generator: torch.Generator
) -> nn.Sequential:
    """Linear layers with ReLU between them.

    Args:
        sizes: The width of the input, of each layer between, and of the output.
        generator: Draws the first weights.

    Raises:
        ValueError: If there are fewer than two sizes, or one is not positive.

    Source: He et al. (2015), Delving deep into rectifiers, equation 10, for the spread
        of the first weights, https://arxiv.org/abs/1502.01852

    >>> [
    ...     type(layer).__name__
    ...     for layer in multilayer_perceptron((2, 16, 1), torch.Generator())
    ... ]
    ['Linear', 'ReLU', 'Linear']
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(
            "sizes must be at least two whole numbers above 0, for input and output; "
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
        latent: How many numbers of noise a point is made from.
        dim: How many coordinates a point has.
        width: Of the two layers between.
        seed: Decides the first weights.

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
        """Return a point for each row of noise."""
        return self.net(z)


class PointDiscriminator(nn.Module):
    """Gives each point a score: high where it takes the point for real.

    Args:
        dim: How many coordinates a point has.
        width: Of the two layers between.
        seed: Decides the first weights.

    >>> PointDiscriminator()(torch.randn(5, 2)).shape
    torch.Size([5])
    """

    def __init__(self, dim: int = 2, width: int = 64, seed: int = 0):
        super().__init__()
        self.net = multilayer_perceptron(
            (dim, width, width, 1), torch.Generator().manual_seed(seed)
        )

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch"]:
        """Return a score for each point; its sigmoid is the probability of being
        real.
        """
        return self.net(x).squeeze(1)


class BatchDiscriminator(nn.Module):
    """A discriminator of points that also sees how far the points of a batch are
    spread.

    Args:
        dim: How many coordinates a point has.
        width: Of the two layers between.
        seed: Decides the first weights.

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
        self.spread = MinibatchDeviation()
        self.net = multilayer_perceptron(
            (dim + 1, width, width, 1), torch.Generator().manual_seed(seed)
        )

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch"]:
        """Return a score for each point of a batch that is all real or all
        generated.
        """
        return self.net(self.spread(x)).squeeze(1)
