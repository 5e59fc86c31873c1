"""Flow matching: make the way from image to noise a straight line, and learn to walk
along it.

x_t = (1 - t) x0 + t noise, with t from 0 (image) to 1 (noise). Each pair of an image
and a noise is joined by a line, whose velocity is noise - x0, the same at all times.
Where lines of many pairs cross, the model learns their mean, and the flow along these
means leads from noise to images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.denoiser import Denoise
from genai_tutorial.diffusion.sampling import Step, walk
from genai_tutorial.diffusion.schedule import Level, Time


@dataclass(frozen=True)
class StraightPath:
    """The way into noise on which image and noise trade places at a steady pace.

    Source: Lipman et al., Flow Matching for Generative Modeling, section 4.1 (optimal
        transport, with the smallest sigma zero), https://arxiv.org/abs/2210.02747; Liu
        et al., Flow Straight and Fast, https://arxiv.org/abs/2209.03003. Both count
        time from noise to image; here, as in diffusers, t = 1 is noise.

    >>> StraightPath().level(0.25)
    Level(signal=0.75, noise=0.25)
    >>> StraightPath().times(4)
    [1.0, 0.75, 0.5, 0.25]
    """

    def level(self, t: Time) -> Level:
        """How much image and how much noise there is at time t.

        Raises:
            ValueError: If t is not from 0 to 1.
        """
        if not 0 <= t <= 1:
            raise ValueError(f"t must be from 0 (image) to 1 (noise), got {t}.")
        return Level(1.0 - t, float(t))

    def levels(
        self, t: Float[Tensor, "batch"], x0: Float[Tensor, "batch *shape"]
    ) -> Level:
        """Return the same for a time of its own for each image."""
        t = t.to(x0.dtype).view(-1, *[1] * (x0.ndim - 1))
        return Level(1 - t, t)

    def add_noise(
        self,
        x0: Float[Tensor, "batch *shape"],
        noise: Float[Tensor, "batch *shape"],
        t: Time | Float[Tensor, "batch"],
    ) -> Float[Tensor, "batch *shape"]:
        """Return the points at time t on the lines from images to noise."""
        signal, strength = (
            self.levels(t, x0) if isinstance(t, Tensor) else self.level(t)
        )
        return signal * x0 + strength * noise

    def draw_times(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count"]:
        """Random times to train at, all equally likely."""
        return torch.rand(count, generator=generator, device=generator.device)

    def times(self, steps: int, start: Time | None = None) -> Sequence[Time]:
        """Cut the way from noise (or from `start`) to image into equal steps, and
        return where they begin.

        Raises:
            ValueError: If `steps` is below 1, or `start` is not above 0 and at most 1.
        """
        start = 1.0 if start is None else start
        if steps < 1 or not 0 < start <= 1:
            raise ValueError(
                "steps must be at least 1 and start above 0 and at most 1, got "
                f"{steps} and {start}."
            )
        return [start * (steps - k) / steps for k in range(steps)]


def flow_euler(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], times: Sequence[Time]
) -> Iterator[Step]:
    """Follow the velocity at the beginning of each step along a `StraightPath`.

    Args:
        denoise: Guesses the image and the noise, whose difference is the velocity.
        x: Noise to begin with, or a noised image at `times[0]`.
        times: When the model is asked, from noise to image, for example
            `path.times(20)`.

    Yields:
        Each step; the last one holds the samples.

    Source: Esser et al., Scaling Rectified Flow Transformers for High-Resolution Image
        Synthesis, section 2, https://arxiv.org/abs/2403.03206
    """
    for t, _, earlier in walk(denoise.path, times):
        parts = denoise(x, t)
        x = x + (earlier.noise - t) * (parts.noise - parts.x0)
        yield Step(t, x, parts.x0)


def flow_heun(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], times: Sequence[Time]
) -> Iterator[Step]:
    """Try Euler's step, look at the velocity at its end too, and go with the mean of
    both.

    Each step but the last asks the model twice. Arguments and results are those of
    `flow_euler`.
    """
    for t, _, earlier in walk(denoise.path, times):
        parts = denoise(x, t)
        velocity, next_t = parts.noise - parts.x0, earlier.noise
        if next_t > 0:
            there = denoise(x + (next_t - t) * velocity, next_t)
            velocity = (velocity + there.noise - there.x0) / 2
        x = x + (next_t - t) * velocity
        yield Step(t, x, parts.x0)
