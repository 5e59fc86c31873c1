"""The theory of the minimax game for known densities: the optimal discriminator and the
divergence that it measures.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def optimal_discriminator(
    p: Float[Tensor, "*shape"], q: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return D* = p / (p + q), the discriminator with the highest value.

    Args:
        p: Density of real examples at some points.
        q: Density of generated examples at the same points.

    Raises:
        ValueError: If a density is negative, or both are zero at some point, where D*
            is undefined.

    Source: Goodfellow et al. (2014), Generative adversarial nets, proposition 1,
    https://arxiv.org/abs/1406.2661

    >>> optimal_discriminator(
    ...     torch.tensor([0.3, 0.0, 0.2]), torch.tensor([0.1, 0.5, 0.2])
    ... )
    tensor([0.7500, 0.0000, 0.5000])
    """
    if (p < 0).any() or (q < 0).any():
        raise ValueError(
            f"A density is never negative; the smallest numbers are {p.min():.3g} and "
            f"{q.min():.3g}."
        )
    if ((p + q) == 0).any():
        raise ValueError(
            "Both densities are zero at some point: leave such points out, since no "
            "example occurs there."
        )
    return p / (p + q)


def jensen_shannon_divergence(
    p: Float[Tensor, "points"], q: Float[Tensor, "points"], step: float
) -> Float[Tensor, ""]:
    """Compute the Jensen-Shannon divergence of two densities on a line, at points that
    are `step` apart, in nats: from 0 (equal) to log 2 (no overlap).

    It is the mean of two Kullback-Leibler divergences, of each density from the average
    of both.

    Raises:
        ValueError: If a density does not integrate to one, because its tails are cut
            off or the step is too coarse.

    Source: Lin (1991), Divergence measures based on the Shannon entropy,
    https://doi.org/10.1109/18.61115

    >>> box = torch.tensor([1.0, 1.0, 0.0, 0.0])
    >>> round(jensen_shannon_divergence(box, box.flip(0), step=0.5).item(), 4)  # log 2
    0.6931
    """
    for name, density in (("p", p), ("q", q)):
        total = density.sum().item() * step
        if not abs(total - 1) < 0.01:
            raise ValueError(
                f"{name} integrates to {total:.3f} on these points, not to 1: use a "
                "wider range or a smaller step."
            )
    mixture = (p + q) / 2
    # xlogy is zero where the density is zero: such points contribute nothing.
    divergences = [
        torch.xlogy(density, density) - torch.xlogy(density, mixture)
        for density in (p, q)
    ]
    return (divergences[0] + divergences[1]).sum() * step / 2
