"""The interface of all densities: score data, and draw samples."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Density(Protocol):
    """A distribution over vectors with an exact probability density."""

    def log_prob(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n"]:
        """Return the natural logarithm of the density at each row of x, in nats."""
        ...

    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Draw new vectors."""
        ...

    def parameter_count(self) -> int:
        """Return the number of free parameters."""
        ...


# Fits a density to data, with a weight for each row (None: equal weights).
FitDensity = Callable[[Float[Tensor, "n dim"], Float[Tensor, "n"] | None], Density]


def check_data(
    x: Float[Tensor, "n dim"], dim: int | None = None
) -> Float[Tensor, "n dim"]:
    """Check that x has rows of finite numbers, and return it in double precision.

    The logarithm of a determinant is a sum of hundreds of logarithms, for which single
    precision is not enough.

    Raises:
        ValueError: If x is empty, has NaN or infinite values, or its rows are not of
            length `dim`.
    """
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
    """Return weights of the rows that add up to one; equal weights if none are given.

    Raises:
        ValueError: If a weight is negative, there are too few or too many, or they are
            all zero.
    """
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

    Raises:
        ValueError: If the number of labels is wrong, or a class between the smallest
            and the largest is missing.
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
