"""Mode counting: on data whose clusters are known, say how many of them a generator
still makes.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.density import DiagonalGaussian, Mixture


def gaussian_ring(
    modes: int = 8, radius: float = 2.0, deviation: float = 0.1
) -> Mixture:
    """Small round Gaussians at equal distances on a circle, each as probable as the
    others.

    Args:
        modes: How many.
        radius: Of the circle.
        deviation: The standard deviation of each, in both directions.

    Raises:
        ValueError: If there are fewer than two, or a length is not positive.

    Source: Metz et al. (2017), Unrolled generative adversarial networks, section 3.1,
    https://arxiv.org/abs/1611.02163

    >>> ring = gaussian_ring(modes=4, radius=1.0)
    >>> [[round(x) for x in component.mean.tolist()] for component in ring.components]
    [[1, 0], [0, 1], [-1, 0], [0, -1]]
    """
    if modes < 2:
        raise ValueError(f"modes must be at least 2, got {modes}.")
    if not (radius > 0 and deviation > 0):
        raise ValueError(
            f"radius and deviation must be greater than 0, got {radius} and "
            f"{deviation}."
        )
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    centres = radius * torch.stack([angles.cos(), angles.sin()], dim=1)
    variance = torch.full((2,), deviation**2, dtype=torch.float64)
    components = tuple(DiagonalGaussian(centre, variance) for centre in centres)
    return Mixture(torch.full((modes,), 1 / modes, dtype=torch.float64), components)


@dataclass(frozen=True)
class ModeCount:
    """Where the samples of a generator went.

    Attributes:
        per_mode: How many samples lie close to each mode.
        samples: How many samples there were.
        least: How many samples a mode needs to count as covered.
    """

    per_mode: Int[Tensor, "modes"]
    samples: int
    least: int

    @property
    def covered(self) -> int:
        """The number of modes that the generator makes."""
        return int((self.per_mode >= self.least).sum())

    @property
    def high_quality(self) -> float:
        """The share of samples that lie close to some mode, from 0 to 1."""
        return int(self.per_mode.sum()) / self.samples


def count_modes(
    samples: Float[Tensor, "n dim"],
    centres: Float[Tensor, "modes dim"],
    *,
    deviation: float,
    reach: float = 3.0,
    share: float = 0.1,
) -> ModeCount:
    """Give each sample to the nearest mode if it is close, and count.

    Papers often call a mode covered once a single sample hits it. A generator of a
    thousand samples hits much by chance, so here a mode needs a part of what would be
    fair.

    Args:
        samples: What the generator made.
        centres: The middle of each mode.
        deviation: The standard deviation of a mode in each direction.
        reach: How many deviations away a sample may lie and still be of high quality.
        share: Which part of an equal share a mode needs to be covered, from 0 to 1; 0
            asks for a single sample.

    Raises:
        ValueError: If there are no samples, or a number is out of range.

    Source: Srivastava et al. (2017), VEEGAN: reducing mode collapse in GANs using
        implicit variational learning, section 4.1, https://arxiv.org/abs/1705.07761

    >>> centres = torch.tensor([[0.0, 0.0], [5.0, 0.0]])
    >>> modes = count_modes(
    ...     torch.tensor([[0.1, 0.0], [0.0, 0.2], [2.5, 0.0]]), centres, deviation=0.1
    ... )
    >>> modes.covered, modes.per_mode.tolist(), round(modes.high_quality, 2)
    (1, [2, 0], 0.67)
    """
    if len(samples) == 0:
        raise ValueError("There are no samples to count: draw at least one.")
    if not (deviation > 0 and reach > 0 and 0 <= share <= 1):
        raise ValueError(
            "deviation and reach must be greater than 0 and share from 0 to 1; got "
            f"{deviation}, {reach} and {share}."
        )
    distance, nearest = torch.cdist(samples.double(), centres.double()).min(dim=1)
    modes_hit = nearest[distance <= reach * deviation]
    threshold = max(1, math.ceil(share * len(samples) / len(centres)))
    return ModeCount(
        torch.bincount(modes_hit, minlength=len(centres)), len(samples), threshold
    )
