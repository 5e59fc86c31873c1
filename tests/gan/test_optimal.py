import math

import pytest
import torch

from genai_tutorial.density import DiagonalGaussian
from genai_tutorial.gan import (
    jensen_shannon_divergence,
    logistic_discriminator_loss,
    optimal_discriminator,
)

POINTS = torch.linspace(-12, 12, 4801, dtype=torch.float64)
STEP = 0.005


def gaussian(mean, deviation=1.0):
    density = DiagonalGaussian(*torch.tensor([[mean], [deviation**2]]).double())
    return density.log_prob(POINTS[:, None]).exp()


def test_optimal_discriminator_has_the_highest_value():
    p, q = gaussian(-1.0), gaussian(1.5, 1.4)

    def value(probability):
        logs = torch.xlogy(p, probability) + torch.xlogy(q, 1 - probability)
        return logs.sum().item() * STEP

    best = optimal_discriminator(p, q)
    others = best + 0.02 * (0.5 - best), best.square(), torch.full_like(best, 0.5)
    for discriminator in others:
        assert value(discriminator) < value(best) - 1e-6
    assert value(best) == pytest.approx(
        2 * jensen_shannon_divergence(p, q, STEP).item() - math.log(4), abs=1e-9
    )


def test_optimal_discriminator_of_two_unit_gaussians_by_hand():
    # p / q = exp(-2 x) for means -1 and 1, so the optimal discriminator is a sigmoid.
    best = optimal_discriminator(gaussian(-1.0), gaussian(1.0))
    torch.testing.assert_close(best, torch.sigmoid(-2 * POINTS))


def test_optimal_value_equals_the_negative_loss_on_samples():
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(200_000, generator=generator) - 1
    fake = torch.randn(200_000, generator=generator) + 1
    measured = -logistic_discriminator_loss(-2 * real, -2 * fake).item()
    divergence = jensen_shannon_divergence(gaussian(-1.0), gaussian(1.0), STEP).item()
    assert measured == pytest.approx(2 * divergence - math.log(4), abs=0.01)


def test_jensen_shannon_divergence_limits_and_symmetry():
    assert jensen_shannon_divergence(
        gaussian(0.0), gaussian(0.0), STEP
    ).item() == pytest.approx(0, abs=1e-12)
    assert jensen_shannon_divergence(
        gaussian(-8.0, 0.3), gaussian(8.0, 0.3), STEP
    ).item() == pytest.approx(math.log(2))
    one_way = jensen_shannon_divergence(gaussian(-1.0), gaussian(1.5, 2.0), STEP).item()
    assert jensen_shannon_divergence(
        gaussian(1.5, 2.0), gaussian(-1.0), STEP
    ).item() == pytest.approx(one_way)


def test_invalid_densities_raise_value_error():
    with pytest.raises(ValueError, match="never negative"):
        optimal_discriminator(torch.tensor([-0.1]), torch.tensor([0.2]))
    with pytest.raises(ValueError, match="Both densities are zero"):
        optimal_discriminator(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"q integrates to 0\.501"):
        jensen_shannon_divergence(gaussian(0.0), gaussian(12.0), STEP)
