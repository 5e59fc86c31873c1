"""Energy-based models: p(x) = exp(-E(x)) / Z with an unknown constant Z. They are
trained without it, and sampled without it.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

# The energy of each row.
Energy = Callable[[Float[Tensor, "n dim"]], Float[Tensor, "n"]]


def noise_contrastive_loss(
    data_log_ratio: Float[Tensor, "n"], noise_log_ratio: Float[Tensor, "m"]
) -> Float[Tensor, ""]:
    """Return the cross-entropy of telling data from noise by the log-ratio of the two
    densities, log p(x) - log q(x), with equally many of both expected.

    If p is a model whose log Z is a parameter, minimizing the loss also estimates that
    parameter, and needs only the noise density q to be known.

    Source: Gutmann and Hyvärinen (2010), Noise-contrastive estimation, equation 3.

    >>> zero = torch.zeros(4)  # cannot tell: ln 2 for each of both
    >>> round(noise_contrastive_loss(zero, zero).item(), 4)
    1.3863
    """
    return softplus(-data_log_ratio).mean() + softplus(noise_log_ratio).mean()


def langevin(
    energy: Energy,
    x: Float[Tensor, "n dim"],
    step: float,
    steps: int,
    generator: torch.Generator,
) -> Float[Tensor, "n dim"]:
    """Move each row by the unadjusted Langevin algorithm:
    x ← x - step ∇E(x) + sqrt(2 step) noise.

    The rows approach the distribution proportional to exp(-E) if the step is small and
    the chain long enough to cross between its modes; a finite step leaves a bias.

    Raises:
        ValueError: If the step is not positive.

    Source: Roberts and Tweedie (1996), Exponential convergence of Langevin
    distributions and their discrete approximations, section 1.4.
    """
    if step <= 0:
        raise ValueError(f"step must be positive, got {step}; try 0.001")
    for _ in range(steps):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(energy(x).sum(), x)
        noise = torch.randn(x.shape, generator=generator).to(x)
        x = x.detach() - step * gradient + math.sqrt(2 * step) * noise
    return x
