"""Paired comparisons: McNemar's test against scipy, and what the intervals promise."""

import pytest
import scipy.stats
import torch

from genai_tutorial.metrics import mcnemar_test, paired_difference


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
    more = mcnemar_test(
        [1] * 50 + [0] * 50 + [1, 0, 0], [1] * 50 + [0] * 50 + [0, 1, 1]
    )
    assert more.p_value == mcnemar_test([1, 0, 0], [0, 1, 1]).p_value == 1.0


def test_mcnemar_test_rejects_equal_methods_at_most_as_often_as_it_says():
    generator = torch.Generator().manual_seed(0)
    coins = torch.rand(2, 400, 60, generator=generator) < 0.6
    p_values = [
        mcnemar_test(a, b).p_value
        for a, b in zip(coins[0].tolist(), coins[1].tolist(), strict=True)
    ]
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
