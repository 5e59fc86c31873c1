"""Kappa, Elo and Bradley-Terry: by hand, with a known truth, and at the edges."""

import math

import pytest
import torch

from genai_tutorial.metrics import cohen_kappa, elo_ratings, fit_bradley_terry

TRUTH = torch.tensor([0.8, 0.1, -0.2, -0.7], dtype=torch.float64)


def draw(count, seed=0):
    """Votes between four systems whose true strengths are TRUTH."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(4, (count,), generator=generator)
    second = (first + torch.randint(1, 4, (count,), generator=generator)) % 4
    chance = torch.rand(count, generator=generator, dtype=torch.float64)
    return first, second, (chance < (TRUTH[first] - TRUTH[second]).sigmoid()).double()


def votes(*pairs):
    winners, losers = torch.tensor(pairs).T
    return winners, losers, torch.ones(len(pairs))


def test_elo_depends_on_the_order_of_two_votes():
    """A beats B, then B beats A: A ends below B, and the other way round above."""
    ahead = elo_ratings(*votes((0, 1), (1, 0)), 2)
    behind = elo_ratings(*votes((1, 0), (0, 1)), 2)
    assert ahead.tolist() == pytest.approx([998.5, 1001.5], abs=0.05)
    assert behind.tolist() == pytest.approx([1001.5, 998.5], abs=0.05)


def test_elo_ratings_keep_their_sum_and_k_scales_a_step():
    first, second, won = draw(200)
    assert float(elo_ratings(first, second, won, 4).sum()) == pytest.approx(4000)
    small = elo_ratings(*votes((0, 1)), 2, k=4)
    assert small.tolist() == [1002.0, 998.0]
    tie = elo_ratings(torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5]), 2)
    assert tie.tolist() == [1000.0, 1000.0]


def test_bradley_terry_three_wins_of_four():
    model = fit_bradley_terry(*votes((0, 1), (0, 1), (0, 1), (1, 0)), 2)
    expected = 400 * math.log10(3)
    ahead, half = model.difference(0, 1)
    assert ahead == pytest.approx(expected, abs=1e-3)
    # the information of 4 votes at p = 3/4 is 4 p (1 - p) = 3/4
    points = 400 / math.log(10)
    assert half == pytest.approx(1.959964 * points / 0.75**0.5, rel=1e-4)
    assert float(model.ratings.mean()) == pytest.approx(1000)


def test_bradley_terry_does_not_depend_on_order_or_sides():
    first, second, won = draw(300)
    model = fit_bradley_terry(first, second, won, 4)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(1))
    again = fit_bradley_terry(second[order], first[order], 1 - won[order], 4)
    torch.testing.assert_close(model.ratings, again.ratings, rtol=0, atol=1e-6)
    torch.testing.assert_close(model.covariance, again.covariance)


def test_bradley_terry_recovers_the_truth_and_its_intervals_cover_it():
    points = 400 / math.log(10)
    truth = 1000 + points * (TRUTH - TRUTH.mean())
    fitted = [fit_bradley_terry(*draw(400, seed), 4) for seed in range(60)]
    errors = torch.stack([(model.ratings - truth).abs() for model in fitted])
    halves = torch.stack([model.half_widths for model in fitted])
    assert 0.9 <= float((errors <= halves).double().mean()) <= 0.99
    many = fit_bradley_terry(*draw(20_000), 4)
    assert float((many.ratings - truth).abs().max()) < 15


def test_bradley_terry_ties_are_half_wins():
    first, second = torch.tensor([0, 0]), torch.tensor([1, 1])
    ties = fit_bradley_terry(first, second, torch.tensor([0.5, 0.5]), 2)
    split = fit_bradley_terry(first, second, torch.tensor([1.0, 0.0]), 2)
    torch.testing.assert_close(ties.ratings, split.ratings)


def test_bradley_terry_stays_finite_for_a_system_that_never_wins():
    model = fit_bradley_terry(*votes((0, 1), (0, 1), (1, 2), (0, 2)), 3)
    assert model.ratings.isfinite().all()
    assert model.ratings.argsort(descending=True).tolist() == [0, 1, 2]


def test_bradley_terry_finds_the_slope_of_a_feature():
    first, second, _ = draw(6000)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(6000, 1, generator=generator, dtype=torch.float64)
    p = (TRUTH[first] - TRUTH[second] + 0.5 * x[:, 0]).sigmoid()
    won = (torch.rand(6000, generator=generator, dtype=torch.float64) < p).double()
    model = fit_bradley_terry(first, second, won, 4, x)
    assert model.coefficients.tolist() == pytest.approx([0.5], abs=0.08)


def test_bradley_terry_refuses_what_is_no_vote():
    none = torch.zeros(0, dtype=torch.long)
    with pytest.raises(ValueError, match="must be votes"):
        fit_bradley_terry(none, none, torch.zeros(0), 2)
    with pytest.raises(ValueError, match="must be votes"):
        fit_bradley_terry(*votes((0, 2)), 2)
    with pytest.raises(ValueError, match="two different systems"):
        fit_bradley_terry(*votes((1, 1)), 2)


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
