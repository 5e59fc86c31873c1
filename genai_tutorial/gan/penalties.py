"""Gradient penalties, which limit the slope of the discriminator so that its gradient
is useful to the generator.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Discriminator = Callable[..., Float[Tensor, "batch"]]


def squared_slopes(
    discriminator: Discriminator, x: Float[Tensor, "batch *shape"], *labels: Tensor
) -> Float[Tensor, "batch"]:
    """Return the squared norm of the gradient of each score with respect to its input.

    Args:
        discriminator: Called as `discriminator(x, *labels)`; the score of an example
            must not depend on other examples.
        x: Points at which the slope is measured.
        labels: Additional inputs of the discriminator for each example.

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
