import pytest
import torch

from genai_tutorial.metrics import winners_curse


def coins(candidates, items, p=0.5, seed=0):
    return (
        torch.rand(candidates, items, generator=torch.Generator().manual_seed(seed)) < p
    )


def test_winners_curse_of_equally_good_candidates_is_all_luck():
    curse = winners_curse(coins(20, 400), development=10, splits=300)
    assert curse.held_out == pytest.approx(curse.average, abs=0.02)
    assert curse.gap > 0.2


def test_winners_curse_shrinks_with_more_development_items():
    gaps = [
        winners_curse(coins(20, 400), development, splits=300).gap
        for development in (5, 20, 100)
    ]
    assert gaps[0] > gaps[1] + 0.1 > gaps[2] + 0.2


def test_winners_curse_finds_a_much_better_candidate():
    right = torch.cat((coins(9, 200, 0.3), coins(1, 200, 0.9, seed=1)))
    curse = winners_curse(right, development=40, splits=300)
    assert curse.held_out == pytest.approx(0.9, abs=0.03)
    assert curse.best == pytest.approx(curse.held_out, abs=0.01)
    assert curse.average < 0.45
    assert abs(curse.gap) < 0.03


def test_winners_curse_draws_among_equal_scores():
    """Two candidates, each right on one half: the first must not win every tie."""
    right = torch.tensor([[True, True, False, False], [False, False, True, True]])
    curse = winners_curse(right, development=2, splits=2000)
    # a split takes two of one half (1/3) or one of each (2/3), a tie
    assert curse.promised == pytest.approx(1 / 3 + 2 / 3 / 2, abs=0.03)
    assert curse.held_out == pytest.approx(1 / 3, abs=0.03)


def test_winners_curse_depends_on_the_seed_alone():
    right = coins(5, 30)
    assert winners_curse(right, 10, 50) == winners_curse(right, 10, 50)
    assert winners_curse(right, 10, 50) != winners_curse(right, 10, 50, seed=1)


@pytest.mark.parametrize(
    ("candidates", "development", "splits"),
    [(0, 5, 9), (3, 0, 9), (3, 30, 9), (3, 5, 0)],
)
def test_winners_curse_refuses(candidates, development, splits):
    with pytest.raises(ValueError, match="at least one item on both sides"):
        winners_curse(coins(candidates, 30), development, splits)
