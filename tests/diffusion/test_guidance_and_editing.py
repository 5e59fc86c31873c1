"""Tests of guidance by hand, and of inpainting with a known answer."""

import itertools

import pytest
import torch

from genai_tutorial.diffusion import (
    Denoised,
    Guided,
    KnownRegion,
    NoiseLevel,
    NoiseSchedule,
    StraightPath,
    classifier_free_guidance,
    ddim,
    ddpm,
    dpm_solver,
    flow_euler,
    last_sample,
    linear_schedule,
    partly_noised,
)
from tests.diffusion.exact import ExactGaussian, normal

LINEAR = linear_schedule(1000)


def answer_the_condition(x, t, condition):
    """Predict the condition, and 0 without one."""
    if condition is None:
        return torch.zeros_like(x)
    return condition.to(x.dtype).view(-1, 1).expand_as(x)


def test_classifier_free_guidance_by_hand():
    x, t, labels = normal(2, 3), torch.tensor([5.0, 5.0]), torch.tensor([2, 4])
    expected = torch.tensor([[6.0], [12.0]]).double().expand(2, 3)
    torch.testing.assert_close(
        Guided(answer_the_condition, 3.0)(x, t, labels), expected
    )
    against = Guided(answer_the_condition, 3.0, negative=torch.tensor([1, 1]))
    torch.testing.assert_close(
        against(x, t, labels), torch.tensor([[4.0], [10.0]]).double().expand(2, 3)
    )
    torch.testing.assert_close(
        Guided(answer_the_condition, 0.0)(x, t, labels), torch.zeros(2, 3).double()
    )
    torch.testing.assert_close(
        classifier_free_guidance(torch.tensor([1.0]), torch.tensor([2.0]), 1.5),
        torch.tensor([2.5]),
    )


def test_guidance_weight_may_depend_on_the_timestep():
    guided = Guided(answer_the_condition, lambda t: 3.0 if t >= 500 else 1.0)
    x, labels = normal(1, 1), torch.tensor([2])
    assert guided(x, torch.tensor([999.0]), labels).item() == 6
    assert guided(x, torch.tensor([499.0]), labels).item() == 2


def test_guidance_weight_one_takes_one_forward_pass():
    asked = []

    def model(x, t, condition):
        asked.append(condition)
        return x

    x, t, labels = normal(1, 1), torch.tensor([5.0]), torch.tensor([2])
    assert torch.equal(Guided(model, 1.0)(x, t, labels), x)
    assert len(asked) == 1
    Guided(model, 2.0)(x, t, labels)
    assert asked[1:] == [labels, None]


# Two correlated numbers: the second is 0.8 of the first plus noise with a standard
# deviation of 0.6, so both have variance 1.
CORRELATION = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.float64)


class Correlated:
    """The optimal denoiser of such pairs, by the formula for normal distributions."""

    def __init__(self, path: NoiseSchedule | StraightPath):
        self.path = path

    def __call__(self, x, t):
        a, b = self.path.level(t)
        gain = (
            a
            * CORRELATION
            @ torch.linalg.inv(
                a**2 * CORRELATION + b**2 * torch.eye(2, dtype=torch.float64)
            )
        )
        x0 = x @ gain.T
        return Denoised(x0, (x - a * x0) / b)


SAMPLERS = {
    "ddpm": (
        lambda d, x: ddpm(
            d, x, LINEAR.timesteps(200), torch.Generator().manual_seed(1)
        ),
        LINEAR,
    ),
    "ddim": (lambda d, x: ddim(d, x, LINEAR.timesteps(200)), LINEAR),
    "dpm_solver": (lambda d, x: dpm_solver(d, x, LINEAR.timesteps(200)), LINEAR),
    "flow": (
        lambda d, x: flow_euler(d, x, StraightPath().timesteps(200)),
        StraightPath(),
    ),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_inpainting_keeps_the_known_region_and_the_rest_follows(name):
    sampler, path = SAMPLERS[name]
    image, known = (
        torch.tensor([2.0, 77.0], dtype=torch.float64),
        torch.tensor([True, False]),
    )
    x = last_sample(
        sampler(KnownRegion(Correlated(path), image, known), normal(4000, 2))
    )
    assert torch.equal(x[:, 0], torch.full((4000,), 2.0, dtype=torch.float64))
    # Without the known number the mean would be 0, with Bayes' rule 1.6; the
    # approximation ends between them.
    assert 0.4 < x[:, 1].mean().item() < 1.6


def test_inpainting_mean_follows_the_recursion():
    """DDIM's mean of the second number, followed step by step with the gains of two
    dimensions written out.
    """
    times, drawn = LINEAR.timesteps(50), 0.0
    levels = [*map(LINEAR.level, times), NoiseLevel(1.0, 0.0)]
    for (a, b), (a_next, b_next) in itertools.pairwise(levels):
        # of [[1, 0.8 a^2], [0.8 a^2, 1]], the covariance of x_t
        determinant = 1 - (0.8 * a**2) ** 2
        from_known = a * (0.8 - 0.8 * a**2) / determinant
        from_drawn = a * (1 - 0.64 * a**2) / determinant
        seen = 2 * a  # the mean of the known number at this timestep
        guess = from_known * seen + from_drawn * drawn
        drawn = a_next * guess + b_next / b * (drawn - a * guess)
    denoise = KnownRegion(
        Correlated(LINEAR),
        torch.tensor([2.0, 0.0], dtype=torch.float64),
        torch.tensor([True, False]),
    )
    start = LINEAR.add_noise(
        torch.tensor([[2.0, 0.0]], dtype=torch.float64), torch.zeros(1, 2).double(), 999
    )
    assert last_sample(ddim(denoise, start, times))[0, 1].item() == pytest.approx(
        drawn, abs=1e-9
    )
    assert 0.4 < drawn < 1.6


def test_inpainting_noises_known_pixels_along_the_path():
    """DDPM with the known image as its guess walks through q(x_t | x_0): the right
    moments at every time.
    """
    image, known = (
        torch.full((1,), 3.0, dtype=torch.float64),
        torch.tensor([True, False]),
    )
    denoise = KnownRegion(ExactGaussian(LINEAR), image.expand(2), known)
    times = LINEAR.timesteps(100)
    for step, reached in zip(ddpm(denoise, normal(20_000, 2), times, torch.Generator().manual_seed(1)), times[1:],  # noqa: E501
                             strict=False):  # fmt: skip
        if reached in (499, 99):
            signal, noise = LINEAR.level(reached)
            assert step.x[:, 0].mean().item() == pytest.approx(
                signal * 3, abs=5 * noise / 20_000**0.5 + 0.02
            )
            assert step.x[:, 0].std().item() == pytest.approx(noise, rel=0.03)


def test_image_to_image_keeps_more_at_low_strength():
    """A noised image is a start like any other: little noise keeps most of it, much
    noise forgets it.
    """
    exact = ExactGaussian(LINEAR, mean=0.0, deviation=1.0)
    image, strengths = torch.full((5000, 1), 2.0, dtype=torch.float64), (0.06, 0.3, 1.0)
    kept, expected = [], []
    for strength in strengths:
        noised, times = partly_noised(
            LINEAR, image, normal(5000, 1), strength, steps=50
        )
        assert len(times) == round(50 * strength)
        kept.append(last_sample(ddim(exact, noised, times)).mean().item())
        # With unit variance the ODE does not move, so the mean is what the noise has
        # left of it.
        expected.append(2 * LINEAR.level(1000 * strength - 1).signal)
    assert kept == pytest.approx(expected, abs=0.06)
    assert kept[0] > 1.9
    assert abs(kept[2]) < 0.06


def test_wrong_arguments_of_guidance_and_editing_are_refused():
    with pytest.raises(ValueError, match="known must fit the image"):
        KnownRegion(ExactGaussian(LINEAR), torch.zeros(3), torch.tensor([True, False]))
    with pytest.raises(ValueError, match="True for some pixels and False for others"):
        KnownRegion(ExactGaussian(LINEAR), torch.zeros(2), torch.tensor([True, True]))
    for strength in (0.0, 1.1, 0.01):
        with pytest.raises(ValueError, match="leave at least one of the 50 steps"):
            partly_noised(
                LINEAR, torch.zeros(1, 1), torch.zeros(1, 1), strength, steps=50
            )
