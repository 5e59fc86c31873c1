"""The likelihood of an image: follow the ODE from image to noise, and integrate the
divergence of its velocity.

A flow carries probability with it. The density rises where the flow contracts space and
falls where it expands space. The divergence of the velocity gives the rate:

    log p(image) = log N(end point; 0, I) + integral of the divergence along the path

Every path in this room is a quarter circle if images are measured in the right unit.
Divide x = a x0 + b noise by its radius, the root of a² + b²: then u = cos(angle) x0 +
sin(angle) noise, and du/dangle = cos(angle) noise - sin(angle) x0.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .prediction import Prediction
from .samplers import Model
from .schedule import NoisePath, Timestep

LOG_TWO_PI = math.log(2 * math.pi)


def ode_log_prob(
    model: Model,
    path: NoisePath,
    prediction: Prediction,
    x: Float[Tensor, "batch *shape"],
    timesteps: Sequence[Timestep],
    *,
    probes: torch.Generator | None = None,
) -> Float[Tensor, "batch"]:
    """Return the log-density of images under the model, in nats, by Heun's method.

    It is the density of the samples that an ODE solver would draw with infinitely small
    steps, stopped at the first timestep. Its accuracy depends on the number of steps,
    so double it and see what changes.

    Args:
        model: Called as `model(x, t, None)`.
        prediction: The quantity that it was trained to output.
        timesteps: From image to noise, at least two; closer together at low noise,
            where the density changes most.
        probes: Draws one random vector of signs per image, for Hutchinson's estimate of
            the divergence: unbiased, with one backward pass. None computes the
            divergence exactly, with one backward pass per dimension.

    Raises:
        ValueError: If there are fewer than two timesteps, or they do not increase.

    Source: Chen et al., Neural Ordinary Differential Equations, theorem 1,
        https://arxiv.org/abs/1806.07366; Grathwohl et al., FFJORD, equation 7
        (Hutchinson's estimator), https://arxiv.org/abs/1810.01367; Song et al.,
        Score-Based Generative Modeling through Stochastic Differential Equations,
        equation 39, https://arxiv.org/abs/2011.13456
    """
    timesteps = list(timesteps)
    if len(timesteps) < 2 or any(
        later <= earlier for earlier, later in itertools.pairwise(timesteps)
    ):
        raise ValueError(
            "timesteps must increase, from image to noise, and there must be at least "
            f"two; got {timesteps}."
        )
    signs = None
    if probes is not None:
        bits = torch.randint(2, x.shape, generator=probes, device=probes.device)
        signs = bits.to(x) * 2 - 1

    def derivatives(u: Tensor, t: Timestep) -> tuple[Tensor, Tensor]:
        return _velocity_and_divergence(model, path, prediction, u, t, signs)

    dimensions = x[0].numel()
    radius = math.hypot(*path.level(timesteps[0]))
    u = x / radius
    log_det = torch.full(
        (len(x),), -dimensions * math.log(radius), dtype=x.dtype, device=x.device
    )
    for t, next_t in itertools.pairwise(timesteps):
        step = _angle(path, next_t) - _angle(path, t)
        velocity, divergence = derivatives(u, t)
        next_velocity, next_divergence = derivatives(u + step * velocity, next_t)
        u = u + step * (velocity + next_velocity) / 2
        log_det = log_det + step * (divergence + next_divergence) / 2
    return log_det - 0.5 * (dimensions * LOG_TWO_PI + u.flatten(1).square().sum(dim=1))


def _velocity_and_divergence(
    model: Model,
    path: NoisePath,
    prediction: Prediction,
    u: Tensor,
    t: Timestep,
    signs: Tensor | None,
) -> tuple[Float[Tensor, "batch *shape"], Float[Tensor, "batch"]]:
    level = path.level(t)
    radius = math.hypot(*level)
    with torch.enable_grad():
        u = u.detach().requires_grad_()
        x = radius * u
        timesteps = torch.full((len(x),), float(t), dtype=x.dtype, device=x.device)
        output = model(x, timesteps, None)
        x0, noise = prediction.to_denoised(x, output, level)
        velocity = (level.signal * noise - level.noise * x0) / radius
        if signs is not None:
            (gradient,) = torch.autograd.grad((velocity * signs).sum(), u)
            return velocity.detach(), (gradient * signs).flatten(1).sum(dim=1)
        divergence = torch.zeros(len(u), dtype=u.dtype, device=u.device)
        # Images do not depend on each other, so one gradient serves them all.
        for dimension, total in enumerate(velocity.flatten(1).sum(dim=0)):
            (gradient,) = torch.autograd.grad(total, u, retain_graph=True)
            divergence += gradient.flatten(1)[:, dimension]
    return velocity.detach(), divergence


def _angle(path: NoisePath, t: Timestep) -> float:
    """Return the angle on the quarter circle: 0 is the image, half pi the noise."""
    signal, noise = path.level(t)
    return math.atan2(noise, signal)
