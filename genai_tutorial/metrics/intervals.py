"""Confidence intervals: of a mean, by the bootstrap and by Student's t, and of a
proportion, Wilson's and the exact one.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Interval:
    """A mean or a proportion with its confidence interval.

    Attributes:
        mean: The mean of the values; the share of successes.
        low: Lower end of the interval.
        high: Upper end of the interval.
        level: Share of such intervals that should contain the true mean.
    """

    mean: float
    low: float
    high: float
    level: float = 0.95

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
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Interval:
    """Estimate the uncertainty of the mean of a few runs by the bootstrap.

    Draw as many values as there are, with replacement, and take their mean; repeat this
    many times. The interval contains the middle `level` of these means. To compare two
    methods run with the same seeds, give the differences seed by seed: the methods
    differ if the interval excludes zero. With fewer than about ten values the interval
    is too narrow.

    Args:
        values: One measurement for each seed.
        level: Share of the bootstrap means inside the interval, between 0 and 1.
        seed: The same seed gives the same interval.
        resamples: Number of resampled means.

    Raises:
        ValueError: If there are fewer than two values, one is not finite, or `level` is
            out of range.

    Source: Efron (1979), Bootstrap methods: another look at the jackknife; the
    percentile interval.

    >>> print(bootstrap_interval([0.91, 0.93, 0.92, 0.94, 0.92], seed=0))
    0.924 (95% interval 0.916 to 0.932)
    """
    data = _as_row(values)
    _check_level(level)
    _check_resamples(resamples)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(data), (resamples, len(data)), generator=generator)
    return _percentiles(data[drawn].mean(dim=1), float(data.mean()), level)


def cluster_bootstrap_interval(
    values: Sequence[float | int] | Float[Tensor, "n"],
    clusters: Sequence[Hashable],
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Interval:
    """Estimate the uncertainty of the mean of measurements that come in groups.

    Ten questions about the same country are not ten independent measurements: a model
    that read little about it misses them all. So whole groups are drawn with
    replacement, as many as there are, and the mean is taken over all values of the
    drawn groups. The interval holds the middle `level` of these means.

    Args:
        values: The measurements, such as 1 for each right answer and 0 for each wrong
            one.
        clusters: The group of each measurement, such as the country of the question.
        level: Share of the bootstrap means inside the interval, between 0 and 1.
        seed: The same seed gives the same interval.
        resamples: Number of means that are drawn.

    Raises:
        ValueError: If there are fewer than two groups, the numbers of clusters and
            values differ, a value is not finite, or `level` or `resamples` is out of
            range.

    Source: Field and Welsh (2007), Bootstrapping clustered data,
        https://doi.org/10.1111/j.1467-9868.2007.00593.x

    >>> print(cluster_bootstrap_interval([1, 1, 1, 0, 0, 0], list("aaabbb")))
    0.5 (95% interval 0.0 to 1.0)
    """
    data = _as_row(values)
    _check_level(level)
    _check_resamples(resamples)
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
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(sums), (resamples, len(sums)), generator=generator)
    means = sums[drawn].sum(dim=1) / sizes[drawn].sum(dim=1)
    return _percentiles(means, float(data.mean()), level)


def t_interval(
    values: Sequence[float | int] | Float[Tensor, "n"], level: float = 0.95
) -> Interval:
    r"""Return Student's t interval for the mean of independent measurements.

    $$\bar x \pm t_{n-1} \frac{s}{\sqrt n}$$

    It is exact if the measurements are normally distributed, however few there are, and
    a good approximation for dozens of measurements without extreme outliers. Equal
    values have no spread, so their interval is a point: for right and wrong answers,
    use `wilson_interval`.

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
    _check_level(level)
    mean, standard_error = float(data.mean()), float(data.std()) / math.sqrt(len(data))
    reach = float(stdtrit(len(data) - 1, (1 + level) / 2)) * standard_error
    return Interval(mean, mean - reach, mean + reach, level)


def _percentiles(
    means: Float[Tensor, "resample"], mean: float, level: float
) -> Interval:
    tail = (1 - level) / 2
    low, high = means.quantile(
        torch.tensor([tail, 1 - tail], dtype=torch.float64)
    ).tolist()
    return Interval(mean=mean, low=low, high=high, level=level)


def _check_resamples(resamples: int) -> None:
    if resamples < 100:
        raise ValueError(
            "resamples must be at least 100 for the ends to mean anything, got "
            f"{resamples}"
        )


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


def _check_level(level: float) -> None:
    """Check that the level of an interval is between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, such as 0.95, got {level}")


def wilson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    r"""Return Wilson's score interval for a proportion, such as an accuracy.

    The interval contains every proportion p from which the observed share $\hat p$ is
    at most z standard errors away, where the standard error is that of p itself:

    $$\frac{\hat p + \frac{z^2}{2n} \pm z \sqrt{\frac{\hat p (1 - \hat p)}{n} +
    \frac{z^2}{4 n^2}}}{1 + \frac{z^2}{n}}$$

    So it stays between 0 and 1, and has a width even if all answers are right. It
    covers the true proportion about as often as it claims, but less often near 0 and 1.

    Args:
        successes: Number of successful trials.
        n: The number of independent trials.
        level: Share of such intervals that contain the true proportion, between 0 and
            1.

    Raises:
        ValueError: If there are no trials, `successes` is not from 0 to `n`, or `level`
            is out of range.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical
        inference, https://doi.org/10.1080/01621459.1927.10502953

    >>> print(wilson_interval(successes=20, n=20))
    1.00 (95% interval 0.84 to 1.00)
    """
    _check_counts(successes, n)
    _check_level(level)
    z, share = NormalDist().inv_cdf((1 + level) / 2), successes / n
    centre = share + z**2 / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((centre + side) / (1 + z**2 / n) for side in (-reach, reach))
    # at the ends, rounding must not leave the observed share outside
    return Interval(share, max(0.0, min(low, share)), min(1.0, max(high, share)), level)


def clopper_pearson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    """Return the exact interval for a proportion, which covers the true one at least
    as often as it claims.

    Source: Clopper and Pearson (1934), The use of confidence or fiducial limits
        illustrated in the case of the binomial, https://doi.org/10.1093/biomet/26.4.404

    >>> print(clopper_pearson_interval(successes=20, n=20))
    1.00 (95% interval 0.83 to 1.00)
    """
    from scipy.special import betaincinv  # here, because it takes a while to load

    _check_counts(successes, n)
    _check_level(level)
    tail, failures = (1 - level) / 2, n - successes
    # the ends are quantiles of beta distributions
    low = betaincinv(successes, failures + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, failures, 1 - tail) if failures else 1.0
    return Interval(successes / n, float(low), float(high), level)


def _check_counts(successes: int, n: int) -> None:
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(
            "n must be at least 1 and successes from 0 to n, got "
            f"{successes} successes in {n} trials"
        )
