"""The likelihood of an image: follow the ODE from image to noise, and note how much it
squeezes space on the way.

A flow carries probability with it. Where it squeezes space the density rises, where it
stretches space the density falls, and the divergence of the velocity says by how much:

    log p(image) = log N(where it arrives; 0, I) + integral of the divergence along the
    way

Every path of this room is a quarter of a circle, if images are measured in the right
unit. Divide x = a x0 + b noise by its radius, the root of a² + b²: then u = cos(angle)
x0 + sin(angle) noise, and du/dangle = cos(angle) noise - sin(angle) x0.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.denoiser import Model
from genai_tutorial.diffusion.prediction import Prediction
from genai_tutorial.diffusion.schedule import Path, Time

LOG_TWO_PI = math.log(2 * math.pi)


def ode_log_prob(
    model: Model,
    path: Path,
    prediction: Prediction,
    x: Float[Tensor, "batch *shape"],
    times: Sequence[Time],
    *,
    condition: object = None,
    probes: torch.Generator | None = None,
) -> Float[Tensor, "batch"]:
    """Return the log-density of images under the model, in nats, by Heun's method.

    It is the density of the samples that an ODE solver would draw with infinitely small
    steps, stopped at the first of the times. How exact it is depends on the number of
    steps, so double it and see what changes.

    Args:
        model: Called as `model(x, t, condition)`.
        path: The way into noise that it was trained on.
        prediction: What its output means.
        x: The images (or points).
        times: From image to noise, at least two; close together where there is little
            noise, where most happens.
        condition: What the images show, or None.
        probes: Draws one random vector of signs for each image, to estimate the
            divergence with (Hutchinson): right on average, for the price of one
            backward pass. None computes the divergence exactly, with a backward pass
            for each dimension.

    Raises:
        ValueError: If there are fewer than two times, or they do not rise.

    Source: Chen et al., Neural Ordinary Differential Equations, theorem 1,
        https://arxiv.org/abs/1806.07366; Grathwohl et al., FFJORD, equation 7
        (Hutchinson's estimator), https://arxiv.org/abs/1810.01367; Song et al.,
        Score-Based Generative Modeling through Stochastic Differential Equations,
        equation 39, https://arxiv.org/abs/2011.13456
    """
    times = list(times)
    if len(times) < 2 or any(
        later <= earlier for earlier, later in itertools.pairwise(times)
    ):
        raise ValueError(
            "times must rise, from image to noise, and there must be at least two; "
            f"got {times}."
        )
    signs = None
    if probes is not None:
        signs = (
            torch.randint(2, x.shape, generator=probes, device=probes.device).to(x) * 2
            - 1
        )

    def slope(u: Tensor, t: Time) -> tuple[Tensor, Tensor]:
        return _velocity_and_divergence(model, path, prediction, u, t, condition, signs)

    dimensions = x[0].numel()
    start = math.hypot(*path.level(times[0]))
    u = x / start
    gained = torch.full(
        (len(x),), -dimensions * math.log(start), dtype=x.dtype, device=x.device
    )
    for t, later in itertools.pairwise(times):
        step = _angle(path, later) - _angle(path, t)
        velocity, divergence = slope(u, t)
        there, divergence_there = slope(u + step * velocity, later)
        u = u + step * (velocity + there) / 2
        gained = gained + step * (divergence + divergence_there) / 2
    return gained - 0.5 * (dimensions * LOG_TWO_PI + u.flatten(1).square().sum(dim=1))


def _velocity_and_divergence(
    model: Model,
    path: Path,
    prediction: Prediction,
    u: Tensor,
    t: Time,
    condition: object,
    signs: Tensor | None,
) -> tuple[Float[Tensor, "batch *shape"], Float[Tensor, "batch"]]:
    level = path.level(t)
    radius = math.hypot(*level)
    with torch.enable_grad():
        u = u.detach().requires_grad_()
        x = radius * u
        times = torch.full((len(x),), float(t), dtype=x.dtype, device=x.device)
        parts = prediction.read(x, model(x, times, condition), level)
        velocity = (level.signal * parts.noise - level.noise * parts.x0) / radius
        if signs is not None:
            (slopes,) = torch.autograd.grad((velocity * signs).sum(), u)
            return velocity.detach(), (slopes * signs).flatten(1).sum(dim=1)
        divergence = torch.zeros(len(u), dtype=u.dtype, device=u.device)
        for number, of_all in enumerate(
            velocity.flatten(1).sum(dim=0)
        ):  # images do not depend on each other
            (slopes,) = torch.autograd.grad(of_all, u, retain_graph=True)
            divergence += slopes.flatten(1)[:, number]
    return velocity.detach(), divergence


def _angle(path: Path, t: Time) -> float:
    """How far along its quarter of a circle: 0 is the image, half pi the noise."""
    signal, noise = path.level(t)
    return math.atan2(noise, signal)
