"""Two ways to limit the slope of the discriminator, so that its gradient is useful to
the generator: gradient penalties and spectral normalization.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

Discriminator = Callable[..., Float[Tensor, "batch"]]
Layer = TypeVar("Layer", bound=nn.Module)


def squared_slopes(
    discriminator: Discriminator, x: Float[Tensor, "batch *shape"], *labels: Tensor
) -> Float[Tensor, "batch"]:
    """Return the squared norm of the gradient of each score with respect to its input.

    Args:
        discriminator: Called as `discriminator(x, *labels)`; the score of an example
            must not depend on other examples.

    >>> plane = lambda x: 3 * x[:, 0] + 4 * x[:, 1]
    >>> squared_slopes(plane, torch.zeros(2, 2)).tolist()
    [25.0, 25.0]
    """
    x = x.detach().requires_grad_()
    # Because of the sum, one backward pass is enough for the whole batch. create_graph
    # makes the result differentiable in the weights.
    (gradient,) = torch.autograd.grad(
        discriminator(x, *labels).sum(), x, create_graph=True
    )
    return gradient.flatten(1).square().sum(dim=1)


def r1_penalty(
    discriminator: Discriminator, real: Float[Tensor, "batch *shape"], *labels: Tensor
) -> Float[Tensor, ""]:
    """Return the mean squared slope at the real examples. Mescheder et al. add γ/2
    times this to the discriminator's loss.

    When the generator is perfect, the penalty is zero only for a flat discriminator, so
    the game has an equilibrium there.

    Source: Mescheder, Geiger and Nowozin (2018), Which training methods for GANs do
        actually converge?, equation 9, https://arxiv.org/abs/1801.04406
    """
    return squared_slopes(discriminator, real, *labels).mean()


def gradient_penalty(
    critic: Discriminator,
    real: Float[Tensor, "batch *shape"],
    fake: Float[Tensor, "..."],
    *labels: Tensor,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Return the mean of (slope - 1)² between real and generated examples. WGAN-GP adds
    10 times this to the critic's loss.

    The slope is measured at one random point on the line between each real example and
    a generated one.

    Raises:
        ValueError: If `real` and `fake` have different shapes.

    Source: Gulrajani et al. (2017), Improved training of Wasserstein GANs, equation 3,
        https://arxiv.org/abs/1704.00028

    >>> steep = lambda x: 3 * x[:, 0]
    >>> gradient_penalty(
    ...     steep, torch.zeros(4, 2), torch.ones(4, 2), generator=torch.Generator()
    ... ).item()  # (3 - 1)²
    4.0
    """
    if real.shape != fake.shape:
        raise ValueError(
            "Each real example is paired with a generated one, so their shapes must be "
            "equal, got "
            f"{tuple(real.shape)} and {tuple(fake.shape)}."
        )
    fraction = (
        torch.rand(len(real), generator=generator)
        .to(real)
        .view(-1, *[1] * (real.ndim - 1))
    )
    interpolated = torch.lerp(real.detach(), fake.detach(), fraction)
    # The square root has no derivative at zero: a flat critic would give NaN.
    slopes = (squared_slopes(critic, interpolated, *labels) + 1e-12).sqrt()
    return (slopes - 1).square().mean()


WARM_UP = 15
"""The number of steps of power iteration at the start."""


@torch.no_grad()
def power_iteration(
    matrix: Float[Tensor, "rows columns"],
    start: Float[Tensor, "columns"],
    steps: int = 1,
) -> tuple[Float[Tensor, "rows"], Float[Tensor, "columns"]]:
    """Find the direction that a matrix stretches most.

    Each step multiplies by the matrix and by its transpose. The component that is
    stretched most grows fastest, so it dominates after a few steps.

    Args:
        start: Initial input vector. It must not be orthogonal to the direction sought;
            a random vector practically never is.

    Returns:
        The singular vectors u (output side) and v (input side), both of length one. The
        largest singular value is u · (matrix v).

    Source: Miyato et al. (2018), Spectral normalization for generative adversarial
        networks, appendix A, https://arxiv.org/abs/1802.05957

    >>> stretch = torch.diag(torch.tensor([3.0, 1.0]))
    >>> u, v = power_iteration(stretch, torch.ones(2), steps=20)
    >>> round((u @ stretch @ v).item(), 4)
    3.0
    """
    v = start
    for _ in range(steps):
        u = functional.normalize(matrix @ v, dim=0, eps=1e-12)
        v = functional.normalize(matrix.T @ u, dim=0, eps=1e-12)
    return u, v


class SpectralNorm(nn.Module):
    """Parametrization that divides a weight by its largest singular value, which is
    tracked with one step of power iteration per call.

    One step is enough, because the weight changes little between two calls and the
    vectors are kept. They do not change in evaluation mode. A weight with more than two
    axes is flattened to a matrix with one row per output.
    """

    def __init__(self, weight: Tensor):
        super().__init__()
        matrix = weight.detach().flatten(1)
        start = torch.randn(
            matrix.shape[1], generator=torch.Generator().manual_seed(0)
        ).to(matrix)
        u, v = power_iteration(matrix, start, steps=WARM_UP)
        self.register_buffer("u", u)
        self.register_buffer("v", v)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight divided by its largest singular value; gradients also flow
        through that value.
        """
        matrix = weight.flatten(1)
        if self.training:
            u, v = power_iteration(matrix, self.v)
            self.u.copy_(u)
            self.v.copy_(v)
        # Copies, because the next call changes the buffers before the backward pass of
        # this one.
        u, v = self.u.clone(), self.v.clone()
        return weight / (u @ (matrix @ v))


def spectral_norm(layer: Layer) -> Layer:
    """Add spectral normalization to a linear or convolutional layer, in place, and
    return the layer.

    A linear layer then never increases the distance of two inputs. For a convolution
    this is a shortcut: the norm of the flattened kernel is not the norm of the
    convolution as an operator, so the bound holds only up to a factor.

    Raises:
        ValueError: If the layer has no `weight`, or one with fewer than two axes.

    Source: Miyato et al. (2018), algorithm 1, https://arxiv.org/abs/1802.05957

    >>> layer = spectral_norm(nn.Linear(4, 4))
    >>> bool((torch.linalg.matrix_norm(layer.weight, 2) - 1).abs() < 0.05)
    True
    """
    weight = getattr(layer, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim < 2:
        raise ValueError(
            "Spectral normalization needs a layer with a weight of at least two axes, "
            f"{type(layer).__name__} has none."
        )
    parametrize.register_parametrization(layer, "weight", SpectralNorm(weight))
    return layer
