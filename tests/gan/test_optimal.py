import math

import pytest
import torch

from genai_tutorial.density import DiagonalGaussian
from genai_tutorial.gan import (
    jensen_shannon_divergence,
    logistic_discriminator_loss,
    optimal_discriminator,
)

PLACES = torch.linspace(-12, 12, 4801, dtype=torch.float64)
STEP = 0.005


def bell(mean, deviation=1.0):
    gaussian = DiagonalGaussian(
        torch.tensor([mean]).double(), torch.tensor([deviation**2]).double()
    )
    return gaussian.log_prob(PLACES[:, None]).exp()


def test_no_discriminator_beats_the_optimal_one():
    p, q = bell(-1.0), bell(1.5, 1.4)

    def value(probability):
        return (
            torch.xlogy(p, probability) + torch.xlogy(q, 1 - probability)
        ).sum().item() * STEP

    best = optimal_discriminator(p, q)
    for discriminator in (
        best + 0.02 * (0.5 - best),
        best.square(),
        torch.full_like(best, 0.5),
    ):
        assert value(discriminator) < value(best) - 1e-6
    assert value(best) == pytest.approx(
        2 * jensen_shannon_divergence(p, q, STEP).item() - math.log(4), abs=1e-9
    )


def test_two_unit_bells_by_hand():
    # p / q = exp(-2 m x) for means -m and m, so the optimal discriminator is a sigmoid.
    best = optimal_discriminator(bell(-1.0), bell(1.0))
    torch.testing.assert_close(best, torch.sigmoid(-2 * PLACES))


def test_the_value_is_what_the_loss_measures():
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(200_000, generator=generator) - 1
    fake = torch.randn(200_000, generator=generator) + 1
    measured = -logistic_discriminator_loss(-2 * real, -2 * fake).item()
    divergence = jensen_shannon_divergence(bell(-1.0), bell(1.0), STEP).item()
    assert measured == pytest.approx(2 * divergence - math.log(4), abs=0.01)


def test_the_divergence_between_its_limits():
    assert jensen_shannon_divergence(
        bell(0.0), bell(0.0), STEP
    ).item() == pytest.approx(0, abs=1e-12)
    assert jensen_shannon_divergence(
        bell(-8.0, 0.3), bell(8.0, 0.3), STEP
    ).item() == pytest.approx(math.log(2))
    one_way = jensen_shannon_divergence(bell(-1.0), bell(1.5, 2.0), STEP).item()
    assert jensen_shannon_divergence(
        bell(1.5, 2.0), bell(-1.0), STEP
    ).item() == pytest.approx(one_way)


def test_bad_densities_raise_a_sentence():
    with pytest.raises(ValueError, match="never negative"):
        optimal_discriminator(torch.tensor([-0.1]), torch.tensor([0.2]))
    with pytest.raises(ValueError, match="Both densities are zero"):
        optimal_discriminator(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"q adds up to 0\.501"):
        jensen_shannon_divergence(bell(0.0), bell(12.0), STEP)
