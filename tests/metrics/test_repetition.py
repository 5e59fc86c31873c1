import pytest

from genai_tutorial.metrics import repeated_share


def test_repeated_share_by_hand():
    assert repeated_share("abcabc", 3) == pytest.approx(1 / 4)
    assert repeated_share([1, 1, 1, 1], 1) == pytest.approx(3 / 4)
    assert repeated_share("abcdef", 1) == 0
    assert repeated_share("ab" * 50, 12) == pytest.approx(87 / 89)


def test_repeated_share_of_short_texts_is_zero():
    assert repeated_share("", 2) == 0
    assert repeated_share("a", 2) == 0


def test_repeated_share_refuses_a_size_below_one():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        repeated_share("ab", 0)
