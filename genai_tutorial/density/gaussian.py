"""The Gaussian: the density of a cloud of points with a centre, a size and a tilt.

`Gaussian` has a full covariance matrix; `DiagonalGaussian` treats the coordinates as
independent. Both are fitted by maximum likelihood, which for a
Gaussian has a closed form: the mean and the covariance of the data.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.density.density import check_data, check_weights

LOG_TWO_PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Gaussian:
    """A multivariate normal distribution.

    Attributes:
        mean: The centre of the cloud.
        covariance: Entry (i, j) measures how coordinates i and j vary together.
    """

    mean: Float[Tensor, "dim"]
    covariance: Float[Tensor, "dim dim"]

    @cached_property
    def factor(self) -> Float[Tensor, "dim dim"]:
        """The lower triangular L with L Lᵀ = covariance, by Cholesky: L turns
        standard normal noise into this cloud.

        Raises:
            ValueError: If the covariance is flat in some direction, so the density
                there would be infinite.
        """
        factor, failed = torch.linalg.cholesky_ex(self.covariance)
        if failed:
            raise ValueError(
                "the covariance matrix is not positive definite: in some direction the "
                "data does not vary at all; "
                "fit with a larger ridge, or with more examples than dimensions"
            )
        return factor

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return the exact logarithm of the density at each row, in nats.

        Source: Bishop, Pattern Recognition and Machine Learning (2006), equation 2.43.
        """
        x = check_data(x, dim=len(self.mean))
        # z = L⁻¹ (x - mean) has mean zero and covariance I.
        z = torch.linalg.solve_triangular(self.factor, (x - self.mean).T, upper=False)
        log_volume = self.factor.diagonal().log().sum()
        return -0.5 * (len(self.mean) * LOG_TWO_PI + z.square().sum(dim=0)) - log_volume

    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw new rows: standard normal noise times `factor`, plus the mean."""
        noise = torch.randn(
            count, len(self.mean), generator=generator, dtype=torch.float64
        ).to(self.mean.device)
        return self.mean + noise @ self.factor.T

    def parameter_count(self) -> int:
        """Count the entries of the mean and of the upper half of the symmetric
        covariance.
        """
        dim = len(self.mean)
        return dim + dim * (dim + 1) // 2


@dataclass(frozen=True)
class DiagonalGaussian:
    """A normal distribution whose coordinates are independent.

    Attributes:
        mean: The centre.
        variance: The variance of each coordinate.
    """

    mean: Float[Tensor, "dim"]
    variance: Float[Tensor, "dim"]

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return the exact logarithm of the density at each row, in nats: a sum over
        coordinates.
        """
        x = check_data(x, dim=len(self.mean))
        distance = (x - self.mean).square() @ (1 / self.variance)
        return -0.5 * (
            len(self.mean) * LOG_TWO_PI + self.variance.log().sum() + distance
        )

    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw new rows, each coordinate independently."""
        noise = torch.randn(
            count, len(self.mean), generator=generator, dtype=torch.float64
        ).to(self.mean.device)
        return self.mean + noise * self.variance.sqrt()

    def parameter_count(self) -> int:
        """Count a mean and a variance for each coordinate."""
        return 2 * len(self.mean)


def fit_gaussian(
    x: Float[Tensor, "n dim"],
    weights: Float[Tensor, "n"] | None = None,
    *,
    ridge: float = 0.0,
) -> Gaussian:
    """Fit a Gaussian by maximum likelihood: the mean and the covariance of the data.

    Args:
        x: One example per row.
        weights: The weight of each row; `None` for equal weights.
        ridge: Added to every variance, as if each coordinate had independent noise of
            this variance. Zero is plain maximum likelihood; a covariance estimated from
            few examples needs a larger ridge.

    Raises:
        ValueError: If the data, the weights or the ridge are invalid; the message
            says which.

    Source: Bishop (2006), equations 2.121 and 2.122: the mean of the squares, divided
    by n and not by n - 1.

    >>> gaussian = fit_gaussian(torch.tensor([[1.0], [2.0], [3.0]]))
    >>> gaussian.mean.item(), round(gaussian.covariance.item(), 4)
    (2.0, 0.6667)
    """
    mean, centred, weights = _moments(x, weights, ridge)
    covariance = (centred * weights[:, None]).T @ centred
    covariance.diagonal().add_(ridge)
    return Gaussian(mean, covariance)


def fit_diagonal_gaussian(
    x: Float[Tensor, "n dim"],
    weights: Float[Tensor, "n"] | None = None,
    *,
    ridge: float = 0.0,
) -> DiagonalGaussian:
    """Fit a Gaussian with independent coordinates by maximum likelihood; the arguments
    are those of `fit_gaussian`.

    Raises:
        ValueError: If the data, the weights or the ridge are invalid, or a coordinate
            never varies and ridge is zero.
    """
    mean, centred, weights = _moments(x, weights, ridge)
    variance = weights @ centred.square() + ridge
    if (variance <= 0).any():
        raise ValueError(
            f"{int((variance <= 0).sum())} of {len(variance)} coordinates never vary; "
            "give a ridge above zero"
        )
    return DiagonalGaussian(mean, variance)


def _moments(
    x: Tensor, weights: Tensor | None, ridge: float
) -> tuple[Tensor, Tensor, Tensor]:
    if not (math.isfinite(ridge) and ridge >= 0):
        raise ValueError(
            f"ridge must be zero or a positive number, got {ridge}; it is added to "
            "every variance"
        )
    x = check_data(x)
    weights = check_weights(weights, x)
    mean = weights @ x
    return mean, x - mean, weights
