"""Coefficients against their definitions: composed single steps, moments, and the ends
of the schedules.
"""

import math

import pytest
import torch

from genai_tutorial.diffusion import (
    NoiseSchedule,
    StraightPath,
    cosine_schedule,
    linear_schedule,
    scaled_linear_schedule,
    zero_terminal_snr,
)
from tests.diffusion.exact import normal

SCHEDULES = {
    "linear": linear_schedule(1000),
    "scaled linear": scaled_linear_schedule(1000),
    "cosine": cosine_schedule(1000),
    "zero terminal": zero_terminal_snr(linear_schedule(1000)),
    "short": linear_schedule(20, beta_start=0.01, beta_end=0.4),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_alpha_bar_is_the_product_of_alphas(name):
    schedule = SCHEDULES[name]
    signal, variance = 1.0, 0.0
    for t in range(len(schedule)):
        # One step: x = sqrt(alpha) previous + sqrt(1 - alpha) noise. Variances of
        # independent noises add up.
        alpha = schedule.alphas[t].item()
        signal, variance = math.sqrt(alpha) * signal, alpha * variance + (1 - alpha)
        level = schedule.level(t)
        assert level.signal == pytest.approx(signal, abs=1e-12)
        assert level.noise**2 == pytest.approx(variance, abs=1e-12)


def test_add_noise_takes_one_timestep_per_image():
    schedule = SCHEDULES["linear"]
    x0, noise = normal(3, 2, 4, 4, seed=1), normal(3, 2, 4, 4, seed=2)
    together = schedule.add_noise(x0, noise, torch.tensor([0.0, 500.0, 999.0]))
    for index, t in enumerate((0, 500, 999)):
        torch.testing.assert_close(
            together[index], schedule.add_noise(x0, noise, t)[index], rtol=0, atol=1e-12
        )
    single = schedule.add_noise(x0.float(), noise.float(), torch.tensor([1.0, 2, 3]))
    assert single.dtype == torch.float32


def test_level_interpolates_log_sigma():
    schedule = SCHEDULES["linear"]
    below, above = schedule.sigmas[300].item(), schedule.sigmas[301].item()
    level = schedule.level(300.25)
    assert level.noise / level.signal == pytest.approx(
        below**0.75 * above**0.25, rel=1e-12
    )
    assert level.signal**2 + level.noise**2 == pytest.approx(1, abs=1e-15)


def test_draw_timesteps_is_uniform():
    generator = torch.Generator().manual_seed(0)
    drawn = SCHEDULES["short"].draw_timesteps(20_000, generator)
    counts = drawn.long().bincount(minlength=20)
    assert len(counts) == 20
    assert counts.min() > 1000 - 5 * 31
    assert counts.max() < 1000 + 5 * 31
    drawn = StraightPath().draw_timesteps(20_000, generator)
    assert 0 <= drawn.min() < 0.001
    assert 0.999 < drawn.max() < 1
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.01)


def test_timesteps_start_at_the_last_and_decrease_evenly():
    schedule = SCHEDULES["linear"]
    assert schedule.timesteps(1) == [999]
    assert schedule.timesteps(4) == [999, 749, 499, 249]
    assert schedule.timesteps(1000) == list(range(999, -1, -1))
    for steps in (7, 30, 333):
        times = schedule.timesteps(steps)
        assert times[0] == 999
        assert len(times) == steps == len(set(times))


def test_wrong_arguments_of_schedules_are_refused():
    for numbers in ([0.5, 0.6], [1.0, 0.6], [0.9, 0.2, -0.1]):
        with pytest.raises(ValueError, match="must fall from below 1"):
            NoiseSchedule(torch.tensor(numbers))
    with pytest.raises(ValueError, match="at least 2 numbers"):
        NoiseSchedule(torch.tensor([0.5]))
    schedule = SCHEDULES["short"]
    with pytest.raises(ValueError, match="t must be from 0 to 19, got 20"):
        schedule.level(20)
    with pytest.raises(ValueError, match="steps must be from 1 to 20"):
        schedule.timesteps(21)
    with pytest.raises(ValueError, match=r"t must be from 0 \(image\) to 1"):
        StraightPath().level(1.5)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        StraightPath().timesteps(0)
