"""Paired tests, and the chi-square test against scipy."""

import math

import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.metrics import chi_square_test, mcnemar_test, paired_difference


@pytest.mark.parametrize(
    ("only_first", "only_second"), [(0, 0), (1, 0), (3, 3), (2, 9), (40, 12), (0, 30)]
)
def test_mcnemar_test_agrees_with_scipy(only_first, only_second):
    first = [1, 0] + [1] * only_first + [0] * only_second
    second = [1, 0] + [0] * only_first + [1] * only_second
    found = mcnemar_test(first, second)
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.n == len(first)
    different = only_first + only_second
    theirs = scipy.stats.binomtest(only_first, different).pvalue if different else 1.0
    assert found.p_value == pytest.approx(theirs, abs=1e-12)


def test_mcnemar_test_ignores_items_that_both_answer_alike():
    alike = [1] * 50 + [0] * 50
    more = mcnemar_test([*alike, 1, 0, 0], [*alike, 0, 1, 1])
    assert more.p_value == mcnemar_test([1, 0, 0], [0, 1, 1]).p_value == 1.0


def test_mcnemar_test_rejects_equal_methods_at_most_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    coins = torch.rand(400, 2, 60, generator=generator) < 0.6
    p_values = [mcnemar_test(*pair).p_value for pair in coins.tolist()]
    rejected = sum(p < 0.05 for p in p_values) / 400
    assert 0.005 < rejected < 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_paired_difference_is_narrower_where_methods_agree():
    first = [1] * 30 + [0] * 30
    alike = paired_difference(first, [1] * 36 + [0] * 24)
    mixed = paired_difference(first, [0] * 12 + [1] * 36 + [0] * 12)
    assert alike.mean == pytest.approx(0.1)
    assert mixed.mean == pytest.approx(0.1)
    assert alike.low > 0 > mixed.low
    assert alike.high - alike.low < mixed.high - mixed.low


def test_paired_difference_has_the_sign_of_the_second():
    assert paired_difference([0, 0, 0], [1, 1, 0]).mean == pytest.approx(2 / 3)
    assert paired_difference([1, 1, 0], [0, 0, 0]).mean == pytest.approx(-2 / 3)


@pytest.mark.parametrize("compare", [mcnemar_test, paired_difference])
@pytest.mark.parametrize(("first", "second"), [([], []), ([1, 0], [1])])
def test_paired_comparisons_refuse_other_items(compare, first, second):
    with pytest.raises(ValueError, match="the same items"):
        compare(first, second)


@given(st.lists(st.integers(0, 300), min_size=2, max_size=12), st.integers(0, 1000))
def test_chi_square_test_agrees_with_scipy(counts, seed):
    counts = torch.tensor([*counts, 1000])  # so that no cell is pooled
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(len(counts), generator=generator, dtype=torch.double) + 0.1
    p /= p.sum()
    found = chi_square_test(counts, p)
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
