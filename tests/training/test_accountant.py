"""Epsilon grows with steps and sampling and falls with noise; known cases by hand."""

import math

import pytest

from genai_tutorial.training import epsilon
from genai_tutorial.training.private import renyi_divergence_of_sampled_gaussian


def test_divergence_without_sampling_is_that_of_two_gaussians():
    for order in (2, 5, 32):
        found = renyi_divergence_of_sampled_gaussian(1.0, 1.5, order)
        assert found == pytest.approx(order / (2 * 1.5**2))
        near = renyi_divergence_of_sampled_gaussian(1 - 1e-9, 1.5, order)
        assert near == pytest.approx(found, rel=1e-6)


def test_divergence_of_order_two_by_hand():
    # (1-q)^2 + 2 q (1-q) + q^2 e^(1/s^2)
    q, sigma = 0.1, 2.0
    expected = math.log((1 - q) ** 2 + 2 * q * (1 - q) + q**2 * math.exp(1 / sigma**2))
    found = renyi_divergence_of_sampled_gaussian(q, sigma, 2)
    assert found == pytest.approx(expected, rel=1e-12)


def test_divergence_equals_the_integral():
    """E over N(0, s^2) of ((1-q) + q e^((2x-1)/2s^2))^order, summed on a grid."""
    q, sigma, order = 0.05, 1.0, 6
    step = 0.001
    grid = [step * n for n in range(-12_000, 20_000)]
    total = math.fsum(
        step
        * math.exp(-(x**2) / (2 * sigma**2))
        / math.sqrt(2 * math.pi * sigma**2)
        * (1 - q + q * math.exp((2 * x - 1) / (2 * sigma**2))) ** order
        for x in grid
    )
    found = renyi_divergence_of_sampled_gaussian(q, sigma, order)
    assert found == pytest.approx(math.log(total) / (order - 1), rel=1e-6)


def test_epsilon_moves_the_right_way():
    run = {
        "sampling_rate": 0.02, "noise_multiplier": 1.0, "steps": 300, "delta": 1e-5
    }  # fmt: skip
    base = epsilon(**run)
    assert epsilon(**run | {"steps": 600}) > base
    assert epsilon(**run | {"sampling_rate": 0.04}) > base
    assert epsilon(**run | {"noise_multiplier": 2.0}) < base
    assert epsilon(**run | {"delta": 1e-3}) < base


def test_epsilon_without_noise_is_infinite_and_without_steps_small():
    assert epsilon(0.02, 0, 300, 1e-5) == math.inf
    assert epsilon(0.02, 0, 0, 1e-5) == 0
    assert epsilon(0.0, 1.0, 300, 1e-5) < 0.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.1, 1.0, 10, 1e-5), "sampling_rate is a probability"),
        ((0.1, -1.0, 10, 1e-5), "noise_multiplier must be above 0"),
        ((0.1, 1.0, -1, 1e-5), "steps must be 0 or more"),
        ((0.1, 1.0, 10, 1.0), "delta between 0 and 1"),
    ],
)
def test_epsilon_rejects_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        epsilon(*arguments)
