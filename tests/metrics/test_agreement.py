"""Cohen's kappa by hand and at the edges."""

import pytest

from genai_tutorial.metrics import cohen_kappa


def test_kappa_by_hand():
    """Agreement 0.82; both say yes to 0.5, so chance gives 0.5 and kappa is 0.64."""
    first = [1] * 50 + [0] * 50
    second = [1] * 41 + [0] * 9 + [1] * 9 + [0] * 41
    assert cohen_kappa(first, second) == pytest.approx(0.64)
    assert cohen_kappa(second, first) == pytest.approx(0.64)


def test_kappa_of_equal_and_of_opposite_raters():
    assert cohen_kappa("abca", "abca") == 1
    assert cohen_kappa("aabb", "bbaa") == -1
    assert cohen_kappa("aabb", "abab") == 0


def test_kappa_counts_labels_that_only_one_rater_uses():
    assert cohen_kappa("aabb", "aabc") == pytest.approx((0.75 - 0.375) / 0.625)


def test_kappa_is_undefined_without_variation():
    with pytest.raises(ValueError, match="undefined"):
        cohen_kappa("aaa", "aaa")
    with pytest.raises(ValueError, match="same items"):
        cohen_kappa("aa", "a")
    with pytest.raises(ValueError, match="same items"):
        cohen_kappa("", "")
