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

VALUES = [0.91, 0.87, 0.93, 0.90, 0.96, 0.88, 0.92]


def test_bootstrap_interval_agrees_with_scipy():
    ours = bootstrap_interval(VALUES)
    theirs = scipy.stats.bootstrap(
        (VALUES,), np.mean, n_resamples=40_000, method="percentile", rng=1
    ).confidence_interval
    # Two independent sets of means: the ends differ by their own sampling error, a
    # hundredth of the spread.
    assert ours.low == pytest.approx(theirs.low, abs=0.001)
    assert ours.high == pytest.approx(theirs.high, abs=0.001)
    assert ours.mean == pytest.approx(np.mean(VALUES))


@settings(max_examples=30)
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), st.floats(-1e3, 1e3))
def test_bootstrap_interval_moves_with_the_values(values, shift):
    interval = bootstrap_interval(values)
    assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9
    moved = bootstrap_interval([value + shift for value in values])
    assert (moved.low, moved.mean, moved.high) == pytest.approx(
        (interval.low + shift, interval.mean + shift, interval.high + shift), abs=1e-8
    )


def test_bootstrap_interval_shrinks_with_n():
    many, one = bootstrap_interval(VALUES * 4), bootstrap_interval(VALUES)
    assert (one.high - one.low) / (many.high - many.low) == pytest.approx(2, rel=0.1)


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


@pytest.mark.parametrize("make", [bootstrap_interval, t_interval])
@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [1.0, np.inf]])
def test_intervals_of_a_mean_refuse_invalid_values(make, values):
    with pytest.raises(ValueError, match=r"at least 2 numbers|must all be finite"):
        make(values)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("n", [2, 3, 30, 101])
def test_t_interval_agrees_with_scipy(n, level):
    values = torch.randn(n, generator=torch.Generator().manual_seed(n)).double()
    ours = t_interval(values, level)
    theirs = scipy.stats.ttest_1samp(values.numpy(), 0).confidence_interval(level)
    assert ours.low == pytest.approx(theirs.low, rel=1e-9)
    assert ours.high == pytest.approx(theirs.high, rel=1e-9)
    assert ours.mean == pytest.approx(values.mean().item())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "n", "least", "most"),
    [
        (t_interval, 5, 0.935, 0.965),
        (bootstrap_interval, 5, 0.5, 0.91),  # much too narrow
        (bootstrap_interval, 30, 0.91, 0.96),  # a little narrow: about 93.5%
    ],
)
def test_interval_coverage_of_the_mean_of_normal_values(make, n, least, most):
    runs = torch.randn(1000, n, generator=torch.Generator().manual_seed(0))
    assert least < sum(0.0 in make(run) for run in runs) / 1000 < most


def test_t_interval_of_equal_values_is_a_point():
    assert t_interval([2.0, 2.0, 2.0]) == Interval(2.0, 2.0, 2.0)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_t_interval_invalid_level_raises(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        t_interval(VALUES, level)


def test_cluster_bootstrap_with_one_value_per_group_is_the_bootstrap():
    assert cluster_bootstrap_interval(VALUES, range(len(VALUES))) == (
        bootstrap_interval(VALUES)
    )


@pytest.mark.slow
def test_cluster_bootstrap_covers_the_mean_where_the_plain_bootstrap_does_not():
    """Groups of four equal values: four times less information than it seems."""
    generator = torch.Generator().manual_seed(0)
    groups = [number // 4 for number in range(80)]
    covered = {"plain": 0, "clustered": 0}
    for _ in range(50):
        values = torch.randn(20, generator=generator).repeat_interleave(4)
        covered["plain"] += 0 in bootstrap_interval(values)
        covered["clustered"] += 0 in cluster_bootstrap_interval(values, groups)
    assert 0.87 < covered["clustered"] / 50 < 0.99
    assert covered["plain"] / 50 < 0.75


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


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (1991, 2000)]
)
def test_wilson_interval_agrees_with_scipy(successes, n):
    ours = wilson_interval(successes, n)
    theirs = scipy.stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert ours.low == pytest.approx(theirs.low, abs=1e-9)
    assert ours.high == pytest.approx(theirs.high, abs=1e-9)
    # rounding leaves the observed share inside
    assert 0 <= ours.low <= ours.mean == successes / n <= ours.high <= 1


def test_wilson_interval_covers_what_the_normal_interval_misses():
    """Near 1, where the normal interval around the share is far too short."""
    proportion, n = 0.97, 60
    shares = np.arange(n + 1) / n
    reach = 1.96 * np.sqrt(shares * (1 - shares) / n)
    chances = scipy.stats.binom(n, proportion).pmf(range(n + 1))
    assert chances[abs(proportion - shares) <= reach].sum() < 0.87
    covers = [proportion in wilson_interval(k, n) for k in range(n + 1)]
    assert chances[covers].sum() == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_interval_invalid_counts_raise(successes, n):
    with pytest.raises(ValueError, match="successes from 0 to n, got"):
        wilson_interval(successes, n)
