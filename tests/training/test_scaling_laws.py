"""Scaling laws: the fit recovers known constants, small runs predict a large one."""

import re
from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import nn

from genai_tutorial.training import (
    GradientNoise,
    PowerLaw,
    compute_optimal,
    fit_power_law,
    gradient_noise,
    scaling_laws,
    tokens_to_reach,
)

CHINCHILLA = PowerLaw(1.69, (406.4, 410.7), (0.34, 0.28))
SIZES = np.geomspace(1e7, 1e9, 6)
RUNS = np.array(list(product(SIZES, np.geomspace(1e9, 1e11, 4))))
BY_SIZE = PowerLaw(2.0, (30.0,), (0.25,))


def _constants(law):
    return [law.floor, *law.factors, *law.exponents]


@pytest.mark.slow
@pytest.mark.parametrize(
    "law", [CHINCHILLA, PowerLaw(0.5, (50.0, 2000.0), (0.2, 0.45))]
)
def test_fit_power_law_recovers_five_constants(law):
    fitted = fit_power_law(RUNS, law(RUNS))
    assert _constants(fitted) == pytest.approx(_constants(law), rel=1e-3)


@pytest.mark.parametrize("exponent", [0.1, 0.25, 0.8])
def test_fit_power_law_recovers_three_constants(exponent):
    law = PowerLaw(2.0, (3 * SIZES[0] ** exponent,), (exponent,))
    fitted = fit_power_law(SIZES[:, None], law(SIZES[:, None]))
    assert _constants(fitted) == pytest.approx(_constants(law), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_fit_power_law_predicts_a_large_run_from_noisy_ones(seed):
    # Half a percent is the effect of another seed on a loss.
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.005, len(RUNS)))
    fitted = fit_power_law(RUNS, CHINCHILLA(RUNS) * noise)
    large = [1e10, 2e11]  # ten times as large, on twice the text
    assert fitted(large) == pytest.approx(CHINCHILLA(large), rel=0.02)
    straight_line = np.polyfit(np.log(RUNS[:, 0]), np.log(CHINCHILLA(RUNS) * noise), 1)
    wrong = np.exp(np.polyval(straight_line, np.log(large[0])))
    assert abs(wrong / CHINCHILLA(large) - 1) > 3 * abs(
        fitted(large) / CHINCHILLA(large) - 1
    )


@pytest.mark.slow
@pytest.mark.parametrize("spoilt", [0, 11, 23])
def test_fit_power_law_is_robust_to_an_outlier(spoilt, monkeypatch):
    losses = CHINCHILLA(RUNS)
    losses[spoilt] *= 1.3
    assert _constants(fit_power_law(RUNS, losses)) == pytest.approx(
        _constants(CHINCHILLA), rel=0.03
    )
    monkeypatch.setattr(scaling_laws, "DELTA", 10.0)
    least_squares = fit_power_law(RUNS, losses)
    assert _constants(least_squares) != pytest.approx(_constants(CHINCHILLA), rel=0.5)


@pytest.mark.parametrize("flops", [1e18, 1e21, 5.88e23])
def test_compute_optimal_minimizes_the_loss_at_equal_compute(flops):
    best = compute_optimal(CHINCHILLA, flops)
    assert 6 * best.parameters * best.tokens == pytest.approx(flops)
    searched = minimize_scalar(
        lambda size: CHINCHILLA([np.exp(size), flops / 6 / np.exp(size)]),
        bounds=(np.log(1e5), np.log(1e13)), method="bounded", options={"xatol": 1e-9},
    )  # fmt: skip
    assert best.parameters == pytest.approx(np.exp(searched.x), rel=1e-3)


def test_tokens_to_reach_costs_a_smaller_model_more_compute():
    best = compute_optimal(CHINCHILLA, 1e21)
    loss = float(CHINCHILLA([best.parameters, best.tokens]))
    costs = []
    for share in (2.0, 1.0, 0.5, 0.25):
        size = share * best.parameters
        tokens = tokens_to_reach(CHINCHILLA, loss, size)
        assert CHINCHILLA([size, tokens]) == pytest.approx(loss)
        costs.append(6 * size * tokens)
    assert costs[1] == pytest.approx(1e21)
    assert costs[0] > costs[1] < costs[2] < costs[3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fit_power_law(RUNS[:5], CHINCHILLA(RUNS[:5])),
            "5 unknowns needs more than 5 runs, got 5",
        ),
        (lambda: fit_power_law(RUNS, CHINCHILLA(RUNS) * 0), "must be above 0"),
        (
            lambda: compute_optimal(BY_SIZE, 1e20),
            "two scales, parameters and tokens; it has 1",
        ),
        (
            lambda: tokens_to_reach(CHINCHILLA, 1.8, 1e8),
            "1e+08 parameters never reaches a loss of 1.8",
        ),
    ],
)
def test_scaling_laws_refuse_bad_arguments(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


class _Line(nn.Module):
    """One weight for each of ten inputs."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 10))


def _line_loss(model, x):
    # The gradient for an example is the weight minus it: the noise is the variance of
    # x, the signal |weight - mean|^2.
    return (model.weight - x).square().sum(-1).mean() / 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("micro_batches", [2, 8])
def test_gradient_noise_recovers_a_known_signal_and_variance(seed, micro_batches):
    generator = torch.Generator().manual_seed(seed)
    spread = torch.linspace(0.5, 3, 10)
    batches = [
        (torch.randn(16, 10, generator=generator) * spread + 0.5,) for _ in range(1000)
    ]
    model = _Line()
    measured = gradient_noise(model, batches, _line_loss, micro_batches)
    noise, signal = (
        spread.square().sum().item(),
        (model.weight - 0.5).square().sum().item(),
    )
    assert measured.noise == pytest.approx(noise, rel=0.05)
    assert measured.signal == pytest.approx(signal, rel=0.05)
    assert measured.scale == pytest.approx(noise / signal, rel=0.08)
    assert model.weight.grad is None


def test_gradient_noise_of_equal_examples_is_zero():
    measured = gradient_noise(_Line(), [(torch.ones(8, 10),)], _line_loss)
    assert measured.noise == pytest.approx(0, abs=1e-5)
    assert measured.scale == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gradient_noise(_Line(), [], _line_loss), "no batches"),
        (
            lambda: gradient_noise(
                _Line(), [(torch.ones(8, 10),)], _line_loss, micro_batches=1
            ),
            "must be at least 2",
        ),
        (
            lambda: gradient_noise(
                _Line(), [(torch.ones(8, 10),)], _line_loss, micro_batches=3
            ),
            "micro_batches=3, 8 rows",
        ),
        (lambda: GradientNoise(-0.1, 1.0).scale, "lost in the noise"),
    ],
)
def test_gradient_noise_refuses_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
