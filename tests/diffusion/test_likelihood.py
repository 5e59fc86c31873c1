"""The likelihood by the ODE, on data whose density is a formula: a model that is never
wrong must find it.
"""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from genai_tutorial.diffusion import (
    FLOW,
    NOISE,
    VELOCITY,
    StraightPath,
    cosine_schedule,
    ode_log_prob,
)

MEANS = torch.tensor([[1.5, -0.5, 0.0], [-1.0, 0.5, 0.3]], dtype=torch.float64)
COVARIANCE = torch.tensor(
    [[0.5, 0.3, 0.0], [0.3, 0.4, -0.1], [0.0, -0.1, 0.2]], dtype=torch.float64
)


def mixture_log_prob(x, signal=1.0, noise=0.0):
    """Of signal * x0 + noise * (standard normal), where x0 comes from either of two
    normals, each half of the time.
    """
    covariance = signal**2 * COVARIANCE + noise**2 * torch.eye(3).double()
    parts = torch.stack(
        [MultivariateNormal(signal * mean, covariance).log_prob(x) for mean in MEANS]
    )
    return parts, parts.logsumexp(dim=0) - math.log(2)


def best_model(path, prediction):
    """The optimal prediction for this mixture, in closed form."""

    def model(x, t, condition):
        signal, noise = path.level(t[0].item())
        parts, _ = mixture_log_prob(x.flatten(1), signal, noise)
        weights = parts.softmax(dim=0)[..., None]
        inverse = torch.linalg.inv(
            signal**2 * COVARIANCE + noise**2 * torch.eye(3).double()
        )
        centred = x.flatten(1) - signal * MEANS[:, None]
        x0 = (
            weights * (MEANS[:, None] + signal * centred @ (inverse @ COVARIANCE))
        ).sum(dim=0)
        of_noise = (weights * (noise * centred @ inverse)).sum(dim=0)
        outputs = {
            FLOW: of_noise - x0,
            VELOCITY: signal * of_noise - noise * x0,
            NOISE: of_noise,
        }
        return outputs[prediction].view_as(x)

    return model


def some_points(count=40):
    generator = torch.Generator().manual_seed(0)
    root = torch.linalg.cholesky(COVARIANCE)
    noise = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return MEANS[torch.arange(count) % 2] + noise @ root.T


def straight_times(steps):
    return [step / steps for step in range(steps + 1)]


@pytest.mark.slow
def test_ode_log_prob_of_a_mixture_on_the_straight_path():
    path, x = StraightPath(), some_points()
    _, expected = mixture_log_prob(x)
    log_prob = ode_log_prob(best_model(path, FLOW), path, FLOW, x, straight_times(100))
    assert torch.allclose(log_prob, expected, atol=2e-3)


@pytest.mark.slow
def test_ode_log_prob_is_of_second_order():
    """Twice as many steps leave a quarter of the error."""
    path, x = StraightPath(), some_points()
    _, expected = mixture_log_prob(x)
    model, errors = best_model(path, FLOW), []
    for steps in (20, 40, 80):
        found = ode_log_prob(model, path, FLOW, x, straight_times(steps))
        errors.append((found - expected).abs().mean().item())
    assert 3 < errors[0] / errors[1] < 5.5
    assert 3 < errors[1] / errors[2] < 5.5


@pytest.mark.slow
@pytest.mark.parametrize("prediction", [VELOCITY, NOISE])
def test_ode_log_prob_on_a_variance_preserving_schedule(prediction):
    # A schedule's first timestep has a trace of noise, so the density is that of points
    # with this noise.
    path, x = cosine_schedule(1000), some_points()
    _, expected = mixture_log_prob(x, *path.level(0))
    model, times = best_model(path, prediction), [*range(0, 999, 3), 999]
    log_prob = ode_log_prob(model, path, prediction, x, times)
    assert torch.allclose(log_prob, expected, atol=2e-3)


@pytest.mark.slow
def test_ode_log_prob_converts_the_unit_of_volume():
    """Where the radius is not 1, the density is still that of x."""
    # Halfway on the straight path the radius is the root of a half, and the unit of
    # volume is not that of u.
    path, x = StraightPath(), some_points()
    for start in (0.25, 0.5):
        times = [start + (1 - start) * share for share in straight_times(100)]
        _, expected = mixture_log_prob(x, *path.level(start))
        log_prob = ode_log_prob(best_model(path, FLOW), path, FLOW, x, times)
        assert torch.allclose(log_prob, expected, atol=2e-3)


def test_hutchinson_estimate_is_unbiased():
    path, x, times = StraightPath(), some_points(2), straight_times(20)
    model = best_model(path, FLOW)
    exact = ode_log_prob(model, path, FLOW, x, times)
    many = x.repeat(2000, 1)
    estimates = ode_log_prob(
        model, path, FLOW, many, times, probes=torch.Generator().manual_seed(0)
    ).view(2000, 2)
    error = estimates.std(dim=0) / math.sqrt(2000)
    assert error.min() > 1e-3  # a single estimate is uncertain,
    assert (
        (estimates.mean(dim=0) - exact).abs() < 4 * error
    ).all()  # and their mean is not off


def test_ode_log_prob_passes_the_shape_to_the_model():
    path, x, heard = StraightPath(), some_points(4), []
    model = best_model(path, FLOW)

    def listening(x, t, condition):
        heard.append((x.shape, t.shape, condition))
        return model(x, t, condition)

    images = x.view(4, 1, 1, 3)
    log_prob = ode_log_prob(listening, path, FLOW, images, straight_times(20))
    flat = ode_log_prob(model, path, FLOW, x, straight_times(20))
    assert torch.allclose(log_prob, flat)
    assert set(heard) == {((4, 1, 1, 3), (4,), None)}


def test_ode_log_prob_leaves_no_gradients_on_the_weights():
    layer = torch.nn.Linear(3, 3).double()
    given = (StraightPath(), FLOW, some_points(4), straight_times(3))
    log_prob = ode_log_prob(lambda x, t, _: layer(x), *given)
    assert not log_prob.requires_grad
    assert layer.weight.grad is None


@pytest.mark.parametrize("times", [[], [0.5], [0.0, 0.5, 0.5], [1.0, 0.0]])
def test_ode_log_prob_refuses_timesteps_that_do_not_increase(times):
    path = StraightPath()
    with pytest.raises(ValueError, match="must increase, from image to noise"):
        ode_log_prob(best_model(path, FLOW), path, FLOW, some_points(2), times)
