"""Samplers on normally distributed data, where the best denoiser is a formula and
everything can be computed.
"""

import itertools
import math

import pytest
import torch

from genai_tutorial.diffusion import (
    NOISE,
    Denoiser,
    NoiseLevel,
    StraightPath,
    ddim,
    ddpm,
    dpm_solver,
    flow_euler,
    last_sample,
    linear_schedule,
    posterior,
    zero_terminal_snr,
)
from tests.diffusion.exact import ExactGaussian, normal, smooth_schedule
from tests.drawn import seeded

LINEAR = linear_schedule(1000)


# --- The posterior of DDPM ------------------------------------------------------------


@pytest.mark.parametrize(
    ("t", "s"), [(1, 0), (500, 499), (999, 998), (999, 979), (600, 100)]
)
def test_posterior_equals_bayes_rule_on_a_grid(t, s):
    """p(x_s | x_t, x_0) is proportional to p(x_s | x_0) p(x_t | x_s): multiplied on a
    fine grid, with no formula.
    """
    x0, bar = 0.7, LINEAR.alpha_bar
    x_t = math.sqrt(bar[t]) * x0 + math.sqrt(1 - bar[t]) * 0.4
    # what the single steps from s to t keep
    kept = math.prod(LINEAR.alphas[s + 1 : t + 1].tolist())
    prior_mean, prior_deviation = math.sqrt(bar[s]) * x0, math.sqrt(1 - bar[s])
    grid = prior_mean + prior_deviation * torch.linspace(
        -9, 9, 400_001, dtype=torch.float64
    )
    log_weight = -0.5 * ((grid - prior_mean) / prior_deviation) ** 2 - 0.5 * (
        x_t - math.sqrt(kept) * grid
    ) ** 2 / (1 - kept)
    weight = (log_weight - log_weight.max()).exp()
    weight = weight / weight.sum()
    mean = (weight * grid).sum().item()
    deviation = (weight * (grid - mean) ** 2).sum().sqrt().item()
    q = posterior(LINEAR.level(t), LINEAR.level(s))
    assert q.x0_coefficient * x0 + q.x_coefficient * x_t == pytest.approx(
        mean, abs=1e-7
    )
    assert q.deviation == pytest.approx(deviation, rel=1e-5)


def test_posterior_from_pure_noise_uses_only_the_prediction():
    schedule = zero_terminal_snr(LINEAR)
    q = posterior(schedule.level(999), schedule.level(998))
    assert q.x_coefficient == 0
    assert q.x0_coefficient == pytest.approx(schedule.level(998).signal)
    assert q.deviation == pytest.approx(schedule.level(998).noise)


def test_ddpm_adds_no_noise_at_the_last_step():
    exact, times = ExactGaussian(LINEAR), LINEAR.timesteps(10)
    last = [[*ddpm(exact, normal(5, 2), times, seeded(seed))][-1] for seed in (1, 2)]
    for step in last:
        # the sample is the last prediction, with nothing added
        assert torch.equal(step.x, step.x0)
    assert not torch.equal(last[0].x, last[1].x)
    x = last_sample(ddim(exact, normal(5, 2), [0], eta=1.0, generator=seeded()))
    assert torch.equal(x, exact(normal(5, 2), 0).x0)


# --- Moments of the samples -----------------------------------------------------------


PATHS = [
    (LINEAR, 100, 0.03, [ddim, dpm_solver]),
    (StraightPath(), 100, 0.02, [flow_euler, ddim, dpm_solver]),
    (zero_terminal_snr(LINEAR), 200, 0.02, [ddim, dpm_solver]),
]


@pytest.mark.parametrize(("path", "steps", "close", "samplers"), PATHS)
def test_samplers_without_noise_reach_the_data(path, steps, close, samplers):
    for sampler in samplers:
        x = sampler(ExactGaussian(path), normal(20_000, 1), path.timesteps(steps))
        x = last_sample(x)
        assert x.mean().item() == pytest.approx(1.5, abs=close)
        assert x.std().item() == pytest.approx(0.5, abs=0.02)


# --- Orders of convergence ------------------------------------------------------------


def slopes(errors):
    """The factor by which the error shrinks when the steps are halved, as a power of
    two.
    """
    return [math.log2(large / small) for large, small in itertools.pairwise(errors)]


@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (dpm_solver, 2)])
def test_ode_solvers_order_of_convergence(sampler, order):
    errors = []
    for steps in (64, 128, 256, 512):
        exact = ExactGaussian(smooth_schedule(steps + 1))
        times = exact.path.timesteps(steps + 1)
        x = normal(10, 2)
        # The state before the last step, which leads to a clean image and is of first
        # order in all of them.
        states = [step.x for step in sampler(exact, x, times)]
        truth = exact.ode(x, exact.path.level(times[0]), exact.path.level(times[-1]))
        errors.append((states[-2] - truth).abs().max().item())
    assert slopes(errors)[-1] == pytest.approx(order, abs=0.1)


def test_flow_euler_is_of_first_order():
    exact, errors, x = ExactGaussian(StraightPath()), [], normal(10, 2)
    for steps in (32, 64, 128, 256):
        times = [1 - 0.9 * k / steps for k in range(steps + 1)]  # to t = 0.1
        states = [step.x for step in flow_euler(exact, x, times)]
        truth = exact.ode(x, NoiseLevel(0.0, 1.0), NoiseLevel(0.9, 0.1))
        errors.append((states[-2] - truth).abs().max().item())
    assert slopes(errors)[-1] == pytest.approx(1, abs=0.1)


# --- Relations between samplers -------------------------------------------------------


def test_flow_euler_equals_ddim_on_the_straight_path():
    exact, x = ExactGaussian(StraightPath()), normal(10, 2)
    ours, theirs = (
        last_sample(sampler(exact, x, StraightPath().timesteps(20)))
        for sampler in (flow_euler, ddim)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_schedule_with_signal_left_biases_the_samples():
    """Twenty steps of too little noise: the sampler starts from pure noise, and the
    mean comes out too small.
    """
    weak = linear_schedule(20, 0.001, 0.1)
    cured = zero_terminal_snr(weak)
    x, means = normal(20_000, 1), []
    for schedule in (weak, cured):
        found = last_sample(ddim(ExactGaussian(schedule), x, schedule.timesteps(20)))
        means.append(found.mean().item())
    assert means[0] < 1.5 - 0.15
    assert means[1] == pytest.approx(1.5, abs=0.02)


def test_dpm_solver_calls_the_model_once_per_step():
    calls = []

    class Counting(ExactGaussian):
        def __call__(self, x, t):
            calls.append(t)
            return super().__call__(x, t)

    times = LINEAR.timesteps(4)
    last_sample(dpm_solver(Counting(LINEAR), normal(2, 2), times))
    assert calls == times


def test_samplers_yield_every_step():
    exact, x = ExactGaussian(LINEAR), normal(4, 3, 2, dtype=torch.float32)
    steps = list(ddim(exact, x, LINEAR.timesteps(5)))
    assert [step.t for step in steps] == [999, 799, 599, 399, 199]
    assert all(step.x.shape == step.x0.shape == x.shape for step in steps)
    assert steps[-1].x.dtype == torch.float32
    # from the middle on, as image-to-image does
    again = list(ddim(exact, steps[1].x, LINEAR.timesteps(5)[2:]))
    assert torch.equal(again[-1].x, steps[-1].x)


def test_wrong_arguments_of_samplers_are_refused():
    exact, x = ExactGaussian(LINEAR), normal(2, 2)
    with pytest.raises(ValueError, match="timesteps must decrease"):
        last_sample(ddim(exact, x, [1, 2]))
    with pytest.raises(ValueError, match="at least "):
        last_sample(ddpm(exact, x, [], seeded()))
    with pytest.raises(ValueError, match="eta must be from 0"):
        last_sample(ddim(exact, x, [5], eta=1.5, generator=seeded()))
    with pytest.raises(ValueError, match="give a generator"):
        last_sample(ddim(exact, x, [5], eta=0.5))
    with pytest.raises(ValueError, match="less noise than the later"):
        posterior(LINEAR.level(3), LINEAR.level(3))
    with pytest.raises(ValueError, match="made no step"):
        last_sample(iter([]))


def test_samplers_keep_no_gradients():
    weight = torch.ones((), requires_grad=True)
    denoise = Denoiser(lambda x, t, condition: weight * x, LINEAR, NOISE)
    for step in ddim(denoise, normal(2, 2), [5, 3]):
        assert not step.x.requires_grad
        # a sampler suspended between two steps must not affect the rest of the program
        assert torch.is_grad_enabled()
