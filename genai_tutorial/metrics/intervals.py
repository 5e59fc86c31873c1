"""How sure a measured mean is: the bootstrap interval over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Interval:
    """A mean with the interval that the bootstrap gives it.

    Attributes:
        mean: The mean of the values.
        low: Lower end of the interval.
        high: Upper end of the interval.
        level: Which share of such intervals is meant to hold the true mean.
    """

    mean: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        # Two digits of the interval's width are all that the data supports.
        width = self.high - self.low
        decimals = max(0, 1 - math.floor(math.log10(width))) if width > 0 else 3
        shown = [f"{value:.{decimals}f}" for value in (self.mean, self.low, self.high)]
        return f"{shown[0]} ({self.level:.0%} interval {shown[1]} to {shown[2]})"


def bootstrap_interval(
    values: Sequence[float | int] | Float[Tensor, "n"],
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Interval:
    """Estimate how far the mean of a few runs could be off, from these runs alone.

    Draw as many values as there are, with replacement; take their mean; do this many
    times. The interval holds the middle `level` of these means. To compare two methods
    run with the same seeds, give the differences seed by seed: the methods differ where
    the interval leaves out zero. With fewer than about ten values the interval is too
    narrow.

    Args:
        values: One measurement for each seed.
        level: Share of the bootstrap means inside the interval, between 0 and 1.
        seed: The same seed gives the same interval.
        resamples: How many means are drawn.

    Raises:
        ValueError: If there are fewer than two values, one is not finite, or `level` is
            out of range.

    Source: Efron (1979), Bootstrap methods: another look at the jackknife; the
    percentile interval.

    >>> print(bootstrap_interval([0.91, 0.93, 0.92, 0.94, 0.92], seed=0))
    0.924 (95% interval 0.916 to 0.932)
    """
    data = torch.as_tensor(values, dtype=torch.float64)
    if data.ndim != 1 or len(data) < 2:
        raise ValueError(
            "values must be a list of at least 2 numbers, one for each seed, got "
            f"shape {tuple(data.shape)}"
        )
    if not data.isfinite().all():
        raise ValueError(
            f"values must all be finite, got {data.tolist()}: look at the runs that "
            "failed first"
        )
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, such as 0.95, got {level}")
    if resamples < 100:
        raise ValueError(
            "resamples must be at least 100 for the ends to mean anything, got "
            f"{resamples}"
        )
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(data), (resamples, len(data)), generator=generator)
    means = data[drawn].mean(dim=1)
    tail = (1 - level) / 2
    low, high = means.quantile(
        torch.tensor([tail, 1 - tail], dtype=torch.float64)
    ).tolist()
    return Interval(mean=float(data.mean()), low=low, high=high, level=level)
