"""Flow matching: a straight path from image to noise, and samplers that follow its
velocity.

x_t = (1 - t) x0 + t noise, with t from 0 (image) to 1 (noise). Each image is joined to
a noise sample by a line, whose velocity is noise - x0, the same at all times. At points
where many lines cross, the model learns their mean velocity, and following these means
leads from noise to images.

MeanFlow learns the average velocity between two times instead, so that one step is
enough. A flow's velocity changes along the path, so a long Euler step misses. The
average velocity u over the times r to t is the one with which a single step is exact:
x_r = x_t - (t - r) u. Differentiating (t - r) u = integral of the velocity v by t gives
u = v - (t - r) du/dt, which a network can be trained on without a teacher.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp

from .samplers import Denoise, Step, level_pairs, noise_like
from .schedule import NoiseLevel, Timestep


@dataclass(frozen=True)
class StraightPath:
    """The straight path from image to noise, on which both shares change linearly.

    Source: Lipman et al., Flow Matching for Generative Modeling, section 4.1 (optimal
        transport, with the smallest sigma zero), https://arxiv.org/abs/2210.02747; Liu
        et al., Flow Straight and Fast, https://arxiv.org/abs/2209.03003. Both count
        time from noise to image; here, as in diffusers, t = 1 is noise.

    >>> StraightPath().level(0.25)
    NoiseLevel(signal=0.75, noise=0.25)
    >>> StraightPath().timesteps(4)
    [1.0, 0.75, 0.5, 0.25]
    """

    def level(self, t: Timestep) -> NoiseLevel:
        """Return the noise level at time t.

        Raises:
            ValueError: If t is not from 0 to 1.
        """
        if not 0 <= t <= 1:
            raise ValueError(f"t must be from 0 (image) to 1 (noise), got {t}.")
        return NoiseLevel(1.0 - t, float(t))

    def levels(
        self, t: Float[Tensor, "batch"], x0: Float[Tensor, "batch *shape"]
    ) -> NoiseLevel:
        """Return one noise level per image."""
        t = t.to(x0.dtype).view(-1, *[1] * (x0.ndim - 1))
        return NoiseLevel(1 - t, t)

    def add_noise(
        self,
        x0: Float[Tensor, "batch *shape"],
        noise: Float[Tensor, "batch *shape"],
        t: Timestep | Float[Tensor, "batch"],
    ) -> Float[Tensor, "batch *shape"]:
        """Return the points at time t on the lines from images to noise."""
        level = self.levels(t, x0) if isinstance(t, Tensor) else self.level(t)
        return level.signal * x0 + level.noise * noise

    def draw_timesteps(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count"]:
        """Draw random times to train at, all equally likely."""
        return torch.rand(count, generator=generator, device=generator.device)

    def timesteps(self, steps: int) -> Sequence[Timestep]:
        """Divide the path from noise to image into equal steps, and return where they
        begin.

        Raises:
            ValueError: If `steps` is below 1.
        """
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}.")
        return [(steps - k) / steps for k in range(steps)]


def flow_euler(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], timesteps: Sequence[Timestep]
) -> Iterator[Step]:
    """Follow the velocity at the beginning of each step along a `StraightPath`.

    Args:
        denoise: Predicts the image and the noise, whose difference is the velocity.
        x: Initial noise, or a noised image at `timesteps[0]`.
        timesteps: The times at which the model is called, from noise to image.

    Source: Esser et al., Scaling Rectified Flow Transformers for High-Resolution Image
        Synthesis, section 2, https://arxiv.org/abs/2403.03206
    """
    for t, _, earlier in level_pairs(denoise.path, timesteps):
        x0, noise = denoise(x, t)
        x = x + (earlier.noise - t) * (noise - x0)
        yield Step(t, x, x0)


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
