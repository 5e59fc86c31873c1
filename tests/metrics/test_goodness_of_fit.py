"""The chi-square test against scipy, and what its p-values promise."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.metrics import chi_square_test


@given(st.lists(st.integers(0, 300), min_size=2, max_size=12), st.integers(0, 1000))
def test_chi_square_test_agrees_with_scipy(counts, seed):
    counts = torch.tensor([*counts, 50])
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(len(counts), generator=generator, dtype=torch.double) + 0.1
    p /= p.sum()
    found = chi_square_test(counts, p, least_expected=0)
    total = counts.sum()
    theirs = scipy.stats.chisquare(counts.numpy(), (total * p).numpy())
    assert found.statistic == pytest.approx(theirs.statistic, rel=1e-9, abs=1e-12)
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)
    assert found.degrees_of_freedom == len(counts) - 1


def test_chi_square_test_pools_small_cells():
    p = torch.tensor([0.5, 0.44, 0.02, 0.02, 0.02])
    counts = torch.tensor([52, 44, 1, 2, 1])
    pooled = chi_square_test(counts, p)
    by_hand = chi_square_test(
        torch.tensor([52, 44, 4]), torch.tensor([0.5, 0.44, 0.06])
    )
    assert pooled.degrees_of_freedom == 2
    assert pooled.statistic == pytest.approx(by_hand.statistic)
    # The pool expects 3.0 of 50, too few, so the next smallest joins it.
    assert chi_square_test(counts // 2, p).degrees_of_freedom == 1


def test_chi_square_test_refuses_an_impossible_outcome():
    found = chi_square_test(torch.tensor([50, 49, 1]), torch.tensor([0.5, 0.5, 0.0]))
    assert (found.statistic, found.p_value) == (math.inf, 0.0)
    fine = chi_square_test(torch.tensor([50, 50, 0]), torch.tensor([0.5, 0.5, 0.0]))
    assert fine.p_value == pytest.approx(1.0)


def test_chi_square_test_p_values_are_uniform_for_the_true_distribution():
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(30, generator=generator).softmax(dim=-1)
    drawn = torch.multinomial(
        p.expand(400, -1), 600, replacement=True, generator=generator
    )
    values = [
        chi_square_test(torch.bincount(row, minlength=30), p).p_value for row in drawn
    ]
    assert scipy.stats.kstest(values, "uniform").pvalue > 1e-3
    q = (p.log() + 0.5 * torch.randn(30, generator=generator)).softmax(dim=-1)
    others = [
        chi_square_test(torch.bincount(row, minlength=30), q).p_value for row in drawn
    ]
    assert sum(value < 0.01 for value in others) > 390


@pytest.mark.parametrize(
    ("counts", "p", "said"),
    [
        ([0, 0], [0.5, 0.5], "at least one of them positive"),
        ([-1, 3], [0.5, 0.5], "at least one of them positive"),
        ([4, 4], [0.5, 0.6], "sum to 1, got the sum 1.1"),
        ([4, 2], [0.5, 0.5], "draw more often than 6 times"),
    ],
)
def test_chi_square_test_explains_wrong_arguments(counts, p, said):
    with pytest.raises(ValueError, match=said):
        chi_square_test(torch.tensor(counts), torch.tensor(p))
