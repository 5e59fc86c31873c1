"""The intervals against scipy's, and against what they promise."""

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.metrics import (
    Interval,
    bootstrap_interval,
    cluster_bootstrap_interval,
    t_interval,
    wilson_interval,
)
from genai_tutorial.metrics.intervals import clopper_pearson_interval

VALUES = [0.91, 0.87, 0.93, 0.90, 0.96, 0.88, 0.92]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_bootstrap_interval_agrees_with_scipy(level):
    ours = bootstrap_interval(VALUES, level=level, seed=0, resamples=40_000)
    theirs = scipy.stats.bootstrap(
        (VALUES,),
        np.mean,
        confidence_level=level,
        n_resamples=40_000,
        method="percentile",
        rng=1,
    ).confidence_interval
    # Two independent sets of 40,000 means: the ends differ by their own sampling error,
    # a hundredth of the spread.
    assert ours.low == pytest.approx(theirs.low, abs=0.001)
    assert ours.high == pytest.approx(theirs.high, abs=0.001)
    assert ours.mean == pytest.approx(np.mean(VALUES))


def test_bootstrap_interval_has_about_its_nominal_coverage():
    generator = torch.Generator().manual_seed(0)
    runs = torch.randn(400, 30, generator=generator)
    intervals = [
        bootstrap_interval(run, level=0.9, seed=seed, resamples=300)
        for seed, run in enumerate(runs)
    ]
    share = sum(interval.low <= 0 <= interval.high for interval in intervals) / len(
        intervals
    )
    # With 30 values the percentile interval is a little narrow: about 88% in the long
    # run, standard error 1.6%.
    assert 0.83 < share < 0.94


@settings(max_examples=30)
@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20),
    st.floats(-1e3, 1e3),
    st.integers(0, 100),
)
def test_bootstrap_interval_moves_with_the_values(values, shift, seed):
    interval = bootstrap_interval(values, seed=seed, resamples=200)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9
    moved = bootstrap_interval(
        [value + shift for value in values], seed=seed, resamples=200
    )
    assert (moved.low, moved.mean, moved.high) == pytest.approx(
        (interval.low + shift, interval.mean + shift, interval.high + shift), abs=1e-8
    )


def test_bootstrap_interval_width_grows_with_level_and_shrinks_with_n():
    narrow, wide = (bootstrap_interval(VALUES, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high
    many = bootstrap_interval(VALUES * 4)
    one = bootstrap_interval(VALUES)
    assert (one.high - one.low) / (many.high - many.low) == pytest.approx(2, rel=0.1)


def test_bootstrap_interval_depends_on_the_seed():
    assert bootstrap_interval(VALUES, seed=1) == bootstrap_interval(
        torch.tensor(VALUES, dtype=torch.float64), seed=1
    )
    assert bootstrap_interval(VALUES, seed=1) != bootstrap_interval(VALUES, seed=2)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0.91043, 0.88512, 0.93371), "0.910 (95% interval 0.885 to 0.934)"),
        (Interval(1234.5, 1180.0, 1290.0), "1234 (95% interval 1180 to 1290)"),
        (Interval(-0.5, -0.75, 0.251, level=0.9), "-0.5 (90% interval -0.8 to 0.3)"),
        (Interval(0.5, 0.25, 0.75, level=0.999), "0.50 (99.9% interval 0.25 to 0.75)"),
        (Interval(2.0, 2.0, 2.0), "2.000 (95% interval 2.000 to 2.000)"),
    ],
)
def test_interval_str_shows_two_digits_of_its_width(interval, text):
    assert str(interval) == text


@pytest.mark.parametrize("values", [[], [1.0], [3]])
def test_bootstrap_interval_too_few_values_raises(values):
    with pytest.raises(ValueError, match="a list of at least 2 numbers"):
        bootstrap_interval(values)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_bootstrap_interval_values_that_are_not_finite_raise(bad):
    with pytest.raises(ValueError, match="must all be finite"):
        bootstrap_interval([1.0, bad, 2.0])


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_bootstrap_interval_invalid_level_raises(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        bootstrap_interval(VALUES, level=level)


def test_bootstrap_interval_too_few_resamples_raises():
    with pytest.raises(ValueError, match="at least 100"):
        bootstrap_interval(VALUES, resamples=10)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 3, 4, 7, 30, 101])
def test_t_interval_agrees_with_scipy(n, level):
    values = torch.randn(n, generator=torch.Generator().manual_seed(n)).double()
    ours = t_interval(values, level)
    theirs = scipy.stats.ttest_1samp(values.numpy(), 0).confidence_interval(level)
    assert ours.low == pytest.approx(theirs.low, rel=1e-9)
    assert ours.high == pytest.approx(theirs.high, rel=1e-9)
    assert ours.mean == pytest.approx(values.mean().item())


@pytest.mark.slow
def test_t_interval_has_its_nominal_coverage_for_few_normal_values():
    """With 5 values, where the bootstrap's interval is much too narrow."""
    runs = torch.randn(2000, 5, generator=torch.Generator().manual_seed(0))
    share = {
        make: sum(0.0 in make(run) for run in runs) / len(runs)
        for make in (
            lambda run: t_interval(run, 0.9),
            lambda run: bootstrap_interval(run, 0.9, resamples=200),
        )
    }
    student, bootstrap = share.values()
    assert student == pytest.approx(0.9, abs=0.025)
    assert bootstrap < 0.86


def test_t_interval_of_equal_values_is_a_point():
    assert t_interval([2.0, 2.0, 2.0]) == Interval(2.0, 2.0, 2.0)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_t_interval_invalid_level_raises(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_interval(VALUES, level)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")]])
def test_t_interval_invalid_values_raise(values):
    with pytest.raises(ValueError, match=r"at least 2 numbers|must all be finite"):
        t_interval(values)


def test_cluster_bootstrap_with_one_value_per_group_is_the_bootstrap():
    assert cluster_bootstrap_interval(VALUES, range(len(VALUES))) == (
        bootstrap_interval(VALUES)
    )


def test_cluster_bootstrap_covers_the_mean_where_the_plain_bootstrap_does_not():
    """Groups of ten equal values: ten times less information than it seems."""
    generator = torch.Generator().manual_seed(0)
    groups = [number // 10 for number in range(300)]
    covered = {"plain": 0, "clustered": 0}
    for seed in range(200):
        values = torch.randn(30, generator=generator).repeat_interleave(10)
        plain = bootstrap_interval(values, 0.9, seed, resamples=300)
        clustered = cluster_bootstrap_interval(values, groups, 0.9, seed, 300)
        covered["plain"] += 0 in plain
        covered["clustered"] += 0 in clustered
    assert 0.80 < covered["clustered"] / 200 < 0.96
    assert covered["plain"] / 200 < 0.5


def test_cluster_bootstrap_weighs_values_not_groups():
    interval = cluster_bootstrap_interval([1, 1, 1, 0], ["a", "a", "a", "b"])
    assert interval.mean == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("values", "clusters", "message"),
    [
        ([1, 0], ["a"], "2 values and 1 names"),
        ([1, 0], ["a", "a"], "at least two groups, got 1"),
    ],
)
def test_cluster_bootstrap_refuses_wrong_groups(values, clusters, message):
    with pytest.raises(ValueError, match=message):
        cluster_bootstrap_interval(values, clusters)


def test_cluster_bootstrap_refuses_too_few_resamples():
    with pytest.raises(ValueError, match="at least 100"):
        cluster_bootstrap_interval([1, 0], ["a", "b"], resamples=10)


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
