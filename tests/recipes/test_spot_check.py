"""Spot checks of cards: samples and confidence intervals."""

import pytest

from genai_tutorial.metrics import t_interval
from genai_tutorial.recipes.recipe import draw_items
from tests.recipes.spot_check import SpotCheck


def test_draw_items_draws_each_item_once_and_by_its_seed():
    first, again, other = (draw_items(range(50), 10, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len(set(first)) == 10
    assert set(first) <= set(range(50))


@pytest.mark.parametrize("n", [0, 4])
def test_draw_items_needs_as_many_items(n):
    with pytest.raises(ValueError, match=f"n must be from 1 to 3, got {n}"):
        draw_items("abc", n, seed=0)


def test_spot_check_interval_is_exact_for_right_or_wrong_and_student_for_numbers():
    """A win that counts a half is a number, not a right answer."""
    right = [True, False, True]
    exact = SpotCheck("accuracy", right).interval(0.9)
    # a proportion p gives at most two of three with 1 - p³, at least two with 3p² - 2p³
    assert 1 - exact.high**3 == pytest.approx(0.05)
    assert 3 * exact.low**2 - 2 * exact.low**3 == pytest.approx(0.05)
    won = [1.0, 0.0, 0.5]
    assert SpotCheck("win_rate", won).interval(0.9) == t_interval(won, 0.9)
    assert SpotCheck("accuracy", right).interval().level == 0.999


def test_spot_check_finds_its_metric_on_the_card():
    metrics = {"loss": 1.5, "facts": {"told": 0.9}}
    assert SpotCheck("loss", [1.0]).on_card(metrics) == 1.5
    assert SpotCheck("facts.told", [True]).on_card(metrics) == 0.9
    with pytest.raises(KeyError, match="new"):
        SpotCheck("facts.new", [True]).on_card(metrics)
