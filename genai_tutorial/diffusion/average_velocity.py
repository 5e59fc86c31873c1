"""MeanFlow: learn the average velocity between two times, so that one step is enough.

A flow's velocity changes along the path, so a long Euler step misses. The average
velocity u over the times r to t is the one with which a single step is exact:
x_r = x_t - (t - r) u. Differentiating (t - r) u = integral of the velocity v by t gives
u = v - (t - r) du/dt, which a network can be trained on without a teacher.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp

from .flow_matching import StraightPath
from .samplers import noise_like

APART = 0.25
"""The share of training pairs with two different times. For the others, the average
velocity is the velocity."""


AverageVelocity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A network that predicts the average velocity from time r to time t, one of each per
image: `model(x, r, t)`."""


def mean_flow_loss(
    model: AverageVelocity,
    x0: Float[Tensor, "batch *shape"],
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Return the mean squared error of the average velocity.

    The target contains the model's own derivative along the path, which one
    forward-mode pass computes beside the output. No gradient flows into the target.

    Args:
        model: Called as `model(x, r, t)`, with r <= t. It must allow forward-mode
            derivatives, which fused attention on a CPU does not.
        x0: Clean images, points or latent codes, at t = 0; noise is at t = 1.
        generator: Random generator for the times and the noise.

    Source: Geng et al., Mean Flows for One-step Generative Modeling, equations 6 and 10
        and algorithm 1, without the adaptive weight, https://arxiv.org/abs/2505.13447
    """
    draw = StraightPath().draw_timesteps
    first, second, kind = (draw(len(x0), generator).to(x0) for _ in range(3))
    t = torch.maximum(first, second)
    r = torch.where(kind < APART, torch.minimum(first, second), t)
    noise = noise_like(x0, generator)
    x, velocity = StraightPath().add_noise(x0, noise, t), noise - x0
    # along the path x changes by the velocity, r not at all, and t by 1
    directions = (velocity, torch.zeros_like(r), torch.ones_like(t))
    average, change = jvp(model, (x, r, t), directions)
    length = (t - r).view(-1, *[1] * (x0.ndim - 1))
    return (average - (velocity - length * change).detach()).square().mean()


def mean_flow(
    model: AverageVelocity, x: Float[Tensor, "batch *shape"], steps: int
) -> Float[Tensor, "batch *shape"]:
    """Turn noise into samples by equal steps with the average velocity.

    Raises:
        ValueError: If `steps` is below 1.

    Source: Geng et al., Mean Flows for One-step Generative Modeling, equation 12,
        https://arxiv.org/abs/2505.13447
    """
    ends = [*StraightPath().timesteps(steps), 0.0]
    for later, earlier in pairwise(ends):
        r, t = (torch.full((len(x),), time).to(x) for time in (earlier, later))
        x = x - (later - earlier) * model(x, r, t)
    return x
