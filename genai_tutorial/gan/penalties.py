"""Penalties on the slope of the discriminator: a cliff gives the generator no way to
climb.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Discriminator = Callable[..., Float[Tensor, "batch"]]


def squared_slopes(
    discriminator: Discriminator, x: Float[Tensor, "batch *shape"], *labels: Tensor
) -> Float[Tensor, "batch"]:
    """Return the squared length of the gradient of each score in its own input.

    Args:
        discriminator: Called as `discriminator(x, *labels)`; no example's score may
            depend on another example.
        x: Where the slope is measured.
        labels: What else the discriminator wants to know of each example.

    >>> plane = lambda x: 3 * x[:, 0] + 4 * x[:, 1]
    >>> squared_slopes(plane, torch.zeros(2, 2)).tolist()
    [25.0, 25.0]
    """
    x = x.detach().requires_grad_()
    # The sum makes one backward pass do for the whole batch; create_graph lets the
    # optimizer see through it.
    (gradient,) = torch.autograd.grad(
        discriminator(x, *labels).sum(), x, create_graph=True
    )
    return gradient.flatten(1).square().sum(dim=1)


def r1_penalty(
    discriminator: Discriminator, real: Float[Tensor, "batch *shape"], *labels: Tensor
) -> Float[Tensor, ""]:
    """Return the mean squared slope at the real examples; Mescheder et al. add γ/2
    times this to the discriminator's loss.

    Once the generator is perfect, a discriminator without slope is the only one that
    pays nothing, so the game can come to rest there.

    Args:
        discriminator: Called as `discriminator(real, *labels)`.
        real: Real examples.
        labels: What else the discriminator wants to know of each example.

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
    """How far the critic's slope is from one, squared, between real and generated
    examples; WGAN-GP adds 10 times this.

    Each pair of a real and a generated example is joined by a straight line, and the
    slope is measured at a random place on it.

    Args:
        critic: Called as `critic(x, *labels)`.
        real: Real examples.
        fake: As many generated examples.
        labels: What else the critic wants to know of each pair.
        generator: Decides the places.

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
            "Each real example is joined with a generated one, so their shapes must "
            "be the same; got "
            f"{tuple(real.shape)} and {tuple(fake.shape)}."
        )
    fraction = (
        torch.rand(len(real), generator=generator)
        .to(real)
        .view(-1, *[1] * (real.ndim - 1))
    )
    interpolated = torch.lerp(real.detach(), fake.detach(), fraction)
    # The root has no derivative at zero: a dead critic would otherwise turn into NaN.
    slopes = (squared_slopes(critic, interpolated, *labels) + 1e-12).sqrt()
    return (slopes - 1).square().mean()
