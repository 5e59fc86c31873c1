"""Confidence intervals of a proportion: Wilson's, and the exact one of Clopper and
Pearson.
"""

import math
from statistics import NormalDist

from .intervals import Interval, check_level, find_crossing


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
    check_level(level)
    z, share = NormalDist().inv_cdf((1 + level) / 2), successes / n
    centre = share + z**2 / (2 * n)
    reach = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = ((centre + side) / (1 + z**2 / n) for side in (-reach, reach))
    # at the ends, rounding must not leave the observed share outside
    return Interval(share, max(0.0, min(low, share)), min(1.0, max(high, share)), level)


def clopper_pearson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    r"""Return the exact interval for a proportion: it covers the true one at least as
    often as it claims, at the cost of being wider than Wilson's.

    With $\alpha$ = 1 - level, the ends are the proportions at which a count at least as
    high as the observed one, or at most as high, still has the probability
    $\alpha / 2$.

    Args:
        successes: Number of successful trials.
        n: The number of independent trials.
        level: Share of such intervals that contain the true proportion, between 0 and
            1.

    Raises:
        ValueError: If there are no trials, `successes` is not from 0 to `n`, or `level`
            is out of range.

    Source: Clopper and Pearson (1934), The use of confidence or fiducial limits
        illustrated in the case of the binomial, https://doi.org/10.1093/biomet/26.4.404

    >>> print(clopper_pearson_interval(successes=20, n=20))
    1.00 (95% interval 0.83 to 1.00)
    """
    _check_counts(successes, n)
    check_level(level)
    tail = (1 - level) / 2
    # the lower end is the upper end for the failures, seen from the other side
    return Interval(
        successes / n,
        1 - _upper_end(n - successes, n, tail),
        _upper_end(successes, n, tail),
        level,
    )


def _upper_end(successes: int, n: int, tail: float) -> float:
    if successes == n:
        return 1.0
    return find_crossing(
        lambda proportion: -_probability_up_to(successes, n, proportion),
        -tail,
        successes / n,
        1.0,
    )


def _probability_up_to(successes: int, n: int, proportion: float) -> float:
    """Return the probability of at most this many successes, for a proportion between 0
    and 1.
    """
    return math.fsum(
        math.exp(
            math.lgamma(n + 1)
            - math.lgamma(count + 1)
            - math.lgamma(n - count + 1)
            + count * math.log(proportion)
            + (n - count) * math.log1p(-proportion)
        )
        for count in range(successes + 1)
    )


def _check_counts(successes: int, n: int) -> None:
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(
            "n must be at least 1 and successes from 0 to n, got "
            f"{successes} successes in {n} trials"
        )
