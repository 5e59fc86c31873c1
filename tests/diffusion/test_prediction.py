"""Tests of the prediction types, of conversions between them, and of the loss."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.diffusion import (
    FLOW,
    IMAGE,
    NOISE,
    VELOCITY,
    Denoised,
    Denoiser,
    NoiseLevel,
    StraightPath,
    diffusion_loss,
    linear_schedule,
    zero_terminal_snr,
)
from tests.diffusion.exact import normal
from tests.drawn import seeded

KINDS = {"noise": NOISE, "image": IMAGE, "velocity": VELOCITY, "flow": FLOW}


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(KINDS)),
    st.floats(0.02, 0.98),
    st.booleans(),
    st.integers(0, 10_000),
)
def test_predictions_invert_their_targets(kind, share, straight, seed):
    level = (
        NoiseLevel(1 - share, share)
        if straight
        else NoiseLevel(math.cos(share * math.pi / 2), math.sin(share * math.pi / 2))
    )
    parts = Denoised(normal(2, 3, seed=seed), normal(2, 3, seed=seed + 1))
    x = level.signal * parts.x0 + level.noise * parts.noise
    denoised = KINDS[kind].to_denoised(x, KINDS[kind].target(parts, level), level)
    torch.testing.assert_close(denoised.x0, parts.x0, rtol=0, atol=1e-9)
    torch.testing.assert_close(denoised.noise, parts.noise, rtol=0, atol=1e-9)


@settings(max_examples=30)
@given(st.sampled_from(sorted(KINDS)), st.floats(0.02, 0.98), st.integers(0, 10_000))
def test_predicted_image_and_noise_add_up_to_the_input(kind, share, seed):
    level = NoiseLevel(math.sqrt(1 - share), math.sqrt(share))
    x, output = normal(2, 3, seed=seed), normal(2, 3, seed=seed + 1)
    x0, noise = KINDS[kind].to_denoised(x, output, level)
    torch.testing.assert_close(
        level.signal * x0 + level.noise * noise, x, rtol=0, atol=1e-9
    )


def test_velocity_is_the_derivative_by_the_angle():
    x0, noise, angle, small = 3.0, -1.0, 0.7, 1e-6

    def on_circle(angle):
        return math.cos(angle) * x0 + math.sin(angle) * noise

    speed = (on_circle(angle + small) - on_circle(angle - small)) / (2 * small)
    parts = Denoised(torch.tensor([x0]).double(), torch.tensor([noise]).double())
    assert VELOCITY.target(
        parts, NoiseLevel(math.cos(angle), math.sin(angle))
    ).item() == pytest.approx(speed, abs=1e-8)


def test_noise_prediction_fails_at_zero_signal_and_the_others_do_not():
    schedule = zero_terminal_snr(linear_schedule(100))
    x = normal(4, 2)
    for prediction in (IMAGE, VELOCITY, FLOW):
        parts = Denoiser(lambda x, t, condition: 0.3 * x, schedule, prediction)(x, 99)
        assert parts.x0.isfinite().all()
        torch.testing.assert_close(parts.noise, x)
    with pytest.raises(ValueError, match="pure noise here"):
        Denoiser(lambda x, t, condition: x, schedule, NOISE)(x, 99)


def test_denoiser_passes_timesteps_and_condition_to_the_model():
    seen = []

    def model(x, t, condition):
        seen.append((t, condition))
        return torch.zeros_like(x)

    labels = torch.tensor([1, 2, 3])
    Denoiser(model, linear_schedule(10), NOISE, condition=labels)(normal(3, 2), 7)
    t, condition = seen[0]
    assert t.tolist() == [7, 7, 7]
    assert condition is labels


def test_denoiser_limit_clips_the_image_and_adjusts_the_noise():
    schedule = linear_schedule(10, beta_start=0.05, beta_end=0.4)
    x = 3 * normal(50, 2)
    x0, noise = Denoiser(
        lambda x, t, condition: torch.zeros_like(x), schedule, NOISE, limit=1.0
    )(x, 5)
    assert x0.abs().max().item() == 1
    signal, strength = schedule.level(5)
    torch.testing.assert_close(signal * x0 + strength * noise, x)


@pytest.mark.parametrize(
    "path",
    [linear_schedule(10, 0.05, 0.4), StraightPath()],
    ids=["schedule", "straight"],
)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_diffusion_loss_of_a_perfect_model_is_zero(kind, path):
    # all images are equal, so a perfect model exists
    x0 = normal(1, 3, seed=5).expand(64, 3)

    def perfect(x, t, condition):
        level = path.levels(t, x)
        return KINDS[kind].target(
            Denoised(x0, (x - level.signal * x0) / level.noise), level
        )

    loss, off = (
        diffusion_loss(model, path, KINDS[kind], x0, generator=seeded(0))
        for model in (perfect, lambda *given: perfect(*given) + 0.1)
    )
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert off.item() == pytest.approx(0.01, abs=1e-9)


def test_diffusion_loss_of_a_zero_noise_prediction_is_one():
    def loss(seed):
        given = (linear_schedule(100), NOISE, normal(20_000, 2))
        zero = lambda x, t, condition: torch.zeros_like(x)  # noqa: E731
        return diffusion_loss(zero, *given, generator=seeded(seed))

    assert loss(1) == loss(1) != loss(2)
    assert loss(1).item() == pytest.approx(1, abs=0.03)
