"""The intervals of a proportion against scipy's, and against what they promise."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.metrics import clopper_pearson_interval, wilson_interval

MAKERS = {"wilson": wilson_interval, "exact": clopper_pearson_interval}
each_interval = pytest.mark.parametrize("method", MAKERS)


@each_interval
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (1991, 2000)]
)
def test_proportion_interval_agrees_with_scipy(method, successes, n, level):
    ours = MAKERS[method](successes, n, level)
    theirs = scipy.stats.binomtest(successes, n).proportion_ci(level, method=method)
    assert ours.low == pytest.approx(theirs.low, abs=1e-9)
    assert ours.high == pytest.approx(theirs.high, abs=1e-9)
    assert (ours.mean, ours.level) == (successes / n, level)


@pytest.mark.slow
@each_interval
@given(
    n=st.integers(1, 200), successes=st.integers(0, 200), level=st.floats(0.01, 0.999)
)
def test_proportion_interval_contains_the_share_and_mirrors_failures(
    method, n, successes, level
):
    successes = min(successes, n)
    interval = MAKERS[method](successes, n, level)
    assert 0 <= interval.low <= successes / n <= interval.high <= 1
    mirrored = MAKERS[method](n - successes, n, level)
    assert mirrored.low == pytest.approx(1 - interval.high, abs=1e-9)


def coverage(make, proportion: float, n: int, level: float) -> float:
    """How often the interval holds the proportion, exactly."""
    chances = scipy.stats.binom(n, proportion).pmf(range(n + 1))
    return sum(
        chance
        for successes, chance in enumerate(chances)
        if proportion in make(successes, n, level)
    )


def test_wilson_interval_covers_what_the_normal_interval_misses():
    """Near 1, where the normal interval around the share is far too short."""
    proportion, n = 0.97, 60
    shares = np.arange(n + 1) / n
    reach = 1.96 * np.sqrt(shares * (1 - shares) / n)
    chances = scipy.stats.binom(n, proportion).pmf(range(n + 1))
    assert chances[abs(proportion - shares) <= reach].sum() < 0.87
    assert coverage(wilson_interval, proportion, n, 0.95) == pytest.approx(
        0.95, abs=0.03
    )


@pytest.mark.parametrize("proportion", [0.5, 0.9, 0.97, 0.999])
def test_clopper_pearson_interval_covers_at_least_its_level(proportion):
    for level in (0.8, 0.95, 0.999):
        assert coverage(clopper_pearson_interval, proportion, 32, level) >= level


def test_wilson_interval_covers_too_little_very_near_1():
    """The reason for the exact interval in spot checks."""
    assert coverage(wilson_interval, 0.999, 32, 0.999) < 0.97


@each_interval
@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_proportion_interval_invalid_counts_raise(method, successes, n):
    with pytest.raises(ValueError, match="successes from 0 to n, got"):
        MAKERS[method](successes, n)


@each_interval
@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_proportion_interval_invalid_level_raises(method, level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        MAKERS[method](3, 5, level)
