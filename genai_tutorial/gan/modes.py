"""Mode counting: on data with known clusters, count how many a generator covers."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.density import DiagonalGaussian, Mixture

REACH = 3.0
"""The largest distance from a mode's centre, in standard deviations."""

FAIR_SHARE = 0.1
"""The fraction of an equal share of the samples with which a mode counts as covered."""


def gaussian_ring(
    modes: int = 8, radius: float = 2.0, deviation: float = 0.1
) -> Mixture:
    """Return a mixture of equally probable Gaussians, evenly spaced on a circle.

    Raises:
        ValueError: If there are fewer than two modes, or a length is not positive.

    Source: Metz et al. (2017), Unrolled generative adversarial networks, section 3.1,
    https://arxiv.org/abs/1611.02163

    >>> ring = gaussian_ring(modes=4, radius=1.0)
    >>> [[round(x) for x in component.mean.tolist()] for component in ring.components]
    [[1, 0], [0, 1], [-1, 0], [0, -1]]
    """
    if modes < 2 or not min(radius, deviation) > 0:
        raise ValueError(
            "modes must be at least 2, and radius and deviation greater than 0, got "
            f"{modes}, {radius} and {deviation}."
        )
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    centres = radius * torch.stack([angles.cos(), angles.sin()], dim=1)
    variance = torch.full((2,), deviation**2, dtype=torch.float64)
    components = tuple(DiagonalGaussian(centre, variance) for centre in centres)
    return Mixture(torch.full((modes,), 1 / modes, dtype=torch.float64), components)


@dataclass(frozen=True)
class ModeCount:
    """The samples of a generator, counted by mode.

    Attributes:
        per_mode: Number of samples close to each mode.
        least: Number of samples that a mode needs to count as covered.
    """

    per_mode: Int[Tensor, "modes"]
    samples: int
    least: int

    @property
    def covered(self) -> int:
        """Number of covered modes."""
        return int((self.per_mode >= self.least).sum())

    @property
    def high_quality(self) -> float:
        """Share of samples that are close to some mode, from 0 to 1."""
        return int(self.per_mode.sum()) / self.samples


def count_modes(
    samples: Float[Tensor, "n dim"],
    centres: Float[Tensor, "modes dim"],
    *,
    deviation: float,
) -> ModeCount:
    """Assign each sample to its nearest mode, if it is within three standard
    deviations, and count.

    Papers often count a mode as covered if a single sample hits it. Among thousands of
    samples some hit by chance, so here a mode needs a tenth of its fair share.

    Args:
        deviation: Standard deviation of a mode in each direction.

    Raises:
        ValueError: If there are no samples, or the deviation is not positive.

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
    if not deviation > 0:
        raise ValueError(f"deviation must be greater than 0, got {deviation}.")
    distance, nearest = torch.cdist(samples.double(), centres.double()).min(dim=1)
    modes_hit = nearest[distance <= REACH * deviation]
    threshold = max(1, math.ceil(FAIR_SHARE * len(samples) / len(centres)))
    return ModeCount(
        torch.bincount(modes_hit, minlength=len(centres)), len(samples), threshold
    )
