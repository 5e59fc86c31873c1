"""The interface of all densities, and Gaussians: with any covariance, or with
independent coordinates.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Density(Protocol):
    """A distribution over vectors with an exact probability density."""

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return the natural logarithm of the density at each row of x, in nats."""

    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw new vectors."""

    def parameter_count(self) -> int:
        """Return the number of free parameters."""


# Fits a density to data, with a weight for each row (None: equal weights).
FitDensity = Callable[[Float[Tensor, "n dim"], Float[Tensor, "n"] | None], Density]


def check_data(
    x: Float[Tensor, "n dim"], dim: int | None = None
) -> Float[Tensor, "n dim"]:
    """Check that x has rows of finite numbers, and return it in double precision."""
    if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(
            f"expected a matrix with one example per row, got shape {tuple(x.shape)}; "
            "images need images.flatten(1)"
        )
    if dim is not None and x.shape[1] != dim:
        raise ValueError(
            f"this model was fitted to rows of {dim} numbers, got rows of "
            f"{x.shape[1]}; use the same features"
        )
    if not torch.isfinite(x).all():
        raise ValueError(
            "the data has NaN or infinite values; remove or replace them before fitting"
        )
    return x.double()


def check_weights(
    weights: Float[Tensor, "n"] | None, x: Float[Tensor, "n dim"]
) -> Float[Tensor, "n"]:
    """Return weights of the rows that add up to one; by default equal ones."""
    n = len(x)
    if weights is None:
        return x.new_full((n,), 1 / n, dtype=torch.float64)
    if len(weights) != n:
        raise ValueError(
            f"weights must have one number for each of the {n} rows, got {len(weights)}"
        )
    weights = weights.double()
    if not torch.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise ValueError(
            "weights must be finite, none negative and not all zero; there is one for "
            "each row"
        )
    return weights / weights.sum()


def check_labels(labels: Int[Tensor, "n"], n: int) -> tuple[Int[Tensor, "n"], int]:
    """Check that every class from 0 up has an example; return the labels as torch
    indices, and the number of classes.
    """
    if len(labels) != n:
        raise ValueError(
            f"labels must have one number for each of the {n} rows, got {len(labels)}"
        )
    present = labels.unique().tolist()
    if present != list(range(len(present))) or len(present) < 2:
        raise ValueError(
            "labels must use every whole number from 0 up, at least 0 and 1, got "
            f"{present}; "
            "renumber the classes, or choose a training set with examples of each"
        )
    return labels.long(), len(present)


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
    """A normal distribution whose coordinates are independent."""

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
    are as for `fit_gaussian`.

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
