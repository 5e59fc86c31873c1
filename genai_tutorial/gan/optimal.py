"""What the game comes to when both densities are known: the best discriminator, and
what it then measures.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def optimal_discriminator(
    p: Float[Tensor, "*shape"], q: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """D* = p / (p + q): no discriminator does better against real examples from p and
    generated ones from q.

    Args:
        p: The density of real examples, at some places.
        q: The density of generated examples at the same places.

    Raises:
        ValueError: If a density is negative, or both are zero at one place, where no
            example ever comes by.

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
            "Both densities are zero at some place: leave such places out, as no "
            "example comes from there."
        )
    return p / (p + q)


def jensen_shannon_divergence(
    p: Float[Tensor, "places"], q: Float[Tensor, "places"], step: float
) -> Float[Tensor, ""]:
    """How far apart two densities on a line are, in nats: from 0 (equal) to log 2
    (never at the same place).

    It is the mean of two Kullback-Leibler divergences, of each density from the middle
    of both.

    Args:
        p: The first density, at places that are `step` apart.
        q: The second density at the same places.
        step: The distance between two places.

    Raises:
        ValueError: If a density does not add up to one, so that its ends were cut off
            or the step is too coarse.

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
                f"{name} adds up to {total:.3f} on these places, not to 1: use more "
                "places or a finer step."
            )
    mixture = (p + q) / 2
    # xlogy is zero where the density is: a place without examples adds nothing.
    divergences = [
        torch.xlogy(density, density) - torch.xlogy(density, mixture)
        for density in (p, q)
    ]
    return (divergences[0] + divergences[1]).sum() * step / 2
