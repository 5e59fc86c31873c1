"""Confidence intervals: of a mean, by the bootstrap and by Student's t, and Wilson's
interval of a proportion.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from jaxtyping import Float, Int
from torch import Tensor

_LEVEL = 0.95
_RESAMPLES = 10_000
_SEED = 0  # the same values always have the same interval


@dataclass(frozen=True)
class Interval:
    """A mean, or a share of successes, with the ends of its confidence interval.

    Attributes:
        level: Share of such intervals that should contain the true mean.
    """

    mean: float
    low: float
    high: float
    level: float = _LEVEL

    def __contains__(self, value: float | int) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        # Two digits of the interval's width are all that the data supports.
        width = self.high - self.low
        decimals = max(0, 1 - math.floor(math.log10(width))) if width > 0 else 3
        shown = [f"{value:.{decimals}f}" for value in (self.mean, self.low, self.high)]
        return f"{shown[0]} ({100 * self.level:.4g}% interval {shown[1]} to {shown[2]})"


def bootstrap_interval(
    values: Sequence[float | int] | Float[Tensor, "n"],
) -> Interval:
    """Estimate the uncertainty of the mean of a few runs by the bootstrap.

    Draw as many values as there are, with replacement, and take their mean; repeat this
    10,000 times. The interval contains the middle 95% of these means. To compare two
    methods run with the same seeds, give the differences seed by seed: the methods
    differ if the interval excludes zero. With fewer than about ten values the interval
    is too narrow.

    Args:
        values: One measurement for each seed.

    Raises:
        ValueError: If there are fewer than two values, or one is not finite.

    Source: Efron (1979), Bootstrap methods: another look at the jackknife; the
    percentile interval.

    >>> print(bootstrap_interval([0.91, 0.93, 0.92, 0.94, 0.92]))
    0.924 (95% interval 0.916 to 0.932)
    """
    data = _as_row(values)
    return _percentiles(data[_resampled(len(data))].mean(dim=1), data)


def cluster_bootstrap_interval(
    values: Sequence[float | int] | Float[Tensor, "n"], clusters: Sequence[Hashable]
) -> Interval:
    """Estimate the uncertainty of the mean of measurements that come in groups.

    Ten questions about the same country are not ten independent measurements: a model
    that read little about it misses them all. Therefore, whole groups are drawn with
    replacement, as many as there are, and the mean is taken over all their values.

    Args:
        values: Such as 1 for each correct answer and 0 for each incorrect one.
        clusters: The group of each value, such as the country of the question.

    Raises:
        ValueError: If there are fewer than two groups, the numbers of clusters and
            values differ, or a value is not finite.

    Source: Field and Welsh (2007), Bootstrapping clustered data,
        https://doi.org/10.1111/j.1467-9868.2007.00593.x

    >>> print(cluster_bootstrap_interval([1, 1, 1, 0, 0, 0], list("aaabbb")))
    0.5 (95% interval 0.0 to 1.0)
    """
    data = _as_row(values)
    if len(clusters) != len(data):
        raise ValueError(
            f"Each value needs the name of its group, got {len(data)} values and "
            f"{len(clusters)} names."
        )
    numbers = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    if len(numbers) < 2:
        raise ValueError(f"There must be at least two groups, got {len(numbers)}.")
    group = torch.tensor([numbers[name] for name in clusters])
    sums = torch.zeros(len(numbers), dtype=data.dtype).index_add_(0, group, data)
    sizes = torch.bincount(group).to(data.dtype)
    drawn = _resampled(len(sums))
    return _percentiles(sums[drawn].sum(dim=1) / sizes[drawn].sum(dim=1), data)


def _resampled(n: int) -> Int[Tensor, "resample n"]:
    generator = torch.Generator().manual_seed(_SEED)
    return torch.randint(n, (_RESAMPLES, n), generator=generator)


def _percentiles(means: Float[Tensor, "resample"], data: Tensor) -> Interval:
    tail = (1 - _LEVEL) / 2
    ends = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    return Interval(float(data.mean()), *means.quantile(ends).tolist())


def _as_row(values: Sequence[float | int] | Tensor) -> Float[Tensor, "n"]:
    data = torch.as_tensor(values, dtype=torch.float64, device="cpu")
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
    return data


def t_interval(
    values: Sequence[float | int] | Float[Tensor, "n"], level: float = _LEVEL
) -> Interval:
    r"""Return Student's t interval for the mean of independent measurements.

    $$\bar x \pm t_{n-1} \frac{s}{\sqrt n}$$

    It is exact if the measurements are normally distributed, however few there are, and
    a good approximation for dozens of measurements without extreme outliers. Equal
    values have no spread, so their interval is a point: for correct and incorrect
    answers, use `wilson_interval`.

    Args:
        level: Share of such intervals that contain the true mean, between 0 and 1.

    Raises:
        ValueError: If there are fewer than two values, one is not finite, or `level` is
            out of range.

    Source: Student (1908), The probable error of a mean,
        https://doi.org/10.1093/biomet/6.1.1

    >>> print(t_interval([0.91, 0.93, 0.92, 0.94, 0.92]))
    0.924 (95% interval 0.910 to 0.938)
    """
    from scipy.special import stdtrit  # here, because it takes a while to load

    data = _as_row(values)
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, such as 0.95, got {level}")
    mean, standard_error = float(data.mean()), float(data.std()) / math.sqrt(len(data))
    reach = float(stdtrit(len(data) - 1, (1 + level) / 2)) * standard_error
    return Interval(mean, mean - reach, mean + reach, level)


def wilson_interval(successes: int, n: int) -> Interval:
    r"""Return Wilson's score interval for a proportion, such as an accuracy.

    The interval contains every proportion p from which the observed share $\hat p$ is
    at most z standard errors away, where the standard error is computed from p itself:

    $$\frac{\hat p + \frac{z^2}{2n} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} +
    \frac{z^2}{4 n^2}}}{1 + \frac{z^2}{n}}$$

    It therefore stays between 0 and 1, and has a width even if all answers are correct.
    It covers the true proportion about as often as it claims, but less often near 0 and
    1.

    Raises:
        ValueError: If there are no trials, or `successes` is not from 0 to `n`.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical
        inference, https://doi.org/10.1080/01621459.1927.10502953

    >>> print(wilson_interval(successes=20, n=20))
    1.00 (95% interval 0.84 to 1.00)
    """
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(
            "n must be at least 1 and successes from 0 to n, got "
            f"{successes} successes in {n} trials"
        )
    z, share = NormalDist().inv_cdf((1 + _LEVEL) / 2), successes / n
    centre = share + z**2 / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((centre + side) / (1 + z**2 / n) for side in (-reach, reach))
    # at the ends, rounding must not leave the observed share outside
    return Interval(share, max(0.0, min(low, share)), min(1.0, max(high, share)))
