"""Paths from images to noise, the interface between forward processes and samplers, and
the noise schedules of DDPM.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Timestep = float | int
"""A point on a path: for a schedule of T steps a number from 0 to T - 1, for flow
matching a time from 0 to 1.
"""


class NoiseLevel(NamedTuple):
    """The shares of image and noise: x_t = signal * x0 + noise * (standard normal
    noise).

    Attributes:
        signal: The factor of the image, 1 for a clean one: a number, or one for each
            image of a batch ("batch 1 1 1").
        noise: The factor of the noise, 0 for a clean image.
    """

    signal: float | Float[Tensor, "batch *ones"]
    noise: float | Float[Tensor, "batch *ones"]


CLEAN = NoiseLevel(signal=1.0, noise=0.0)


@runtime_checkable
class NoisePath(Protocol):
    """A path from images to noise, the forward process. Samplers follow it backwards,
    and this is all they need to know about it.
    """

    def level(self, t: Timestep) -> NoiseLevel:
        """Return the noise level at timestep t."""
        ...

    def levels(
        self, t: Float[Tensor, "batch"], x0: Float[Tensor, "batch *shape"]
    ) -> NoiseLevel:
        """Return one noise level per image, in a shape that broadcasts over images."""
        ...

    def add_noise(
        self,
        x0: Float[Tensor, "batch *shape"],
        noise: Float[Tensor, "batch *shape"],
        t: Timestep | Float[Tensor, "batch"],
    ) -> Float[Tensor, "batch *shape"]:
        """Noise images to timestep t: the same for all, or one per image."""
        ...

    def draw_timesteps(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count"]:
        """Draw random timesteps to train at."""
        ...

    def timesteps(self, steps: int) -> Sequence[Timestep]:
        """Return the timesteps at which a sampler with this many steps calls the model,
        from noise to image.
        """
        ...


@dataclass(frozen=True)
class NoiseSchedule:
    """A variance-preserving noise schedule of T small steps: t = 0 is nearly clean,
    t = T - 1 nearly pure noise.

    The code below writes alpha and alpha_bar as Ho et al. do: a step keeps the share
    alpha of the variance, and after t steps the share alpha_bar, the product of all
    alphas so far, is left:

        x_t = sqrt(alpha_t) x_{t-1} + sqrt(1 - alpha_t) noise        one step
        x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise    all at once

    Attributes:
        alpha_bar: The share of the variance that is still the image's, for each step;
            it decreases and stays above 0, except that the last may be 0.

    Raises:
        ValueError: If alpha_bar is not a decreasing sequence of numbers that are below
            1 and not negative.

    Source: Ho, Jain and Abbeel, Denoising Diffusion Probabilistic Models, equations 2
        and 4, https://arxiv.org/abs/2006.11239

    >>> schedule = NoiseSchedule(torch.tensor([0.96, 0.64, 0.0]))
    >>> [round(number, 3) for number in schedule.level(1)]
    [0.8, 0.6]
    """

    alpha_bar: Float[Tensor, "T"]

    def __post_init__(self):
        values = torch.as_tensor(self.alpha_bar).double()
        if values.ndim != 1 or len(values) < 2:
            raise ValueError(
                "alpha_bar must be a row of at least 2 numbers, got shape "
                f"{tuple(values.shape)}."
            )
        if not (values.diff() < 0).all() or not (
            values[0] < 1 and values[-2] > 0 and values[-1] >= 0
        ):
            raise ValueError(
                "alpha_bar must fall from below 1, and only its last number may be 0; "
                f"it begins with {values[0].item():.6g} and ends with "
                f"{values[-2:].tolist()}."
            )
        # in double precision, whatever came
        object.__setattr__(self, "alpha_bar", values)

    def __len__(self) -> int:
        return len(self.alpha_bar)

    @property
    def alphas(self) -> Float[Tensor, "T"]:
        """The share of the variance that each step keeps: alpha_bar_t /
        alpha_bar_{t-1}.
        """
        return self.alpha_bar / torch.cat(
            [torch.ones(1, dtype=torch.float64), self.alpha_bar[:-1]]
        )

    @property
    def betas(self) -> Float[Tensor, "T"]:
        """The variance of the noise that each step adds: 1 - alpha."""
        return 1 - self.alphas

    @property
    def sigmas(self) -> Float[Tensor, "T"]:
        """Noise per unit of image, sqrt((1 - alpha_bar) / alpha_bar): the sigma of
        Karras et al.
        """
        return ((1 - self.alpha_bar) / self.alpha_bar).sqrt()

    def level(self, t: Timestep) -> NoiseLevel:
        """Return the noise level at timestep t; between two integers, the logarithm of
        sigma is interpolated.

        Raises:
            ValueError: If t is not from 0 to T - 1.
        """
        last = len(self) - 1
        if not 0 <= t <= last:
            raise ValueError(f"t must be from 0 to {last}, got {t}.")
        if float(t).is_integer():
            alpha_bar = self.alpha_bar[int(t)].item()
            return NoiseLevel(math.sqrt(alpha_bar), math.sqrt(1 - alpha_bar))
        angle = math.atan(
            math.exp(np.interp(t, range(last + 1), self.sigmas.log().numpy()))
        )
        # their ratio is sigma, their squares add up to 1
        return NoiseLevel(math.cos(angle), math.sin(angle))

    def levels(
        self, t: Float[Tensor, "batch"], x0: Float[Tensor, "batch *shape"]
    ) -> NoiseLevel:
        """Return one noise level per image, for integer timesteps."""
        alpha_bar = self.alpha_bar.to(x0.device)[t.long()]
        alpha_bar = alpha_bar.view(-1, *[1] * (x0.ndim - 1))
        return NoiseLevel(
            alpha_bar.sqrt().to(x0.dtype), (1 - alpha_bar).sqrt().to(x0.dtype)
        )

    def add_noise(
        self,
        x0: Float[Tensor, "batch *shape"],
        noise: Float[Tensor, "batch *shape"],
        t: Timestep | Float[Tensor, "batch"],
    ) -> Float[Tensor, "batch *shape"]:
        """Noise images to timestep t at once: q(x_t | x_0), with the given standard
        normal noise.

        Args:
            x0: Clean images.
            noise: Of the same shape.
            t: The timestep: one for all images, or an integer per image.
        """
        level = self.levels(t, x0) if isinstance(t, Tensor) else self.level(t)
        return level.signal * x0 + level.noise * noise

    def draw_timesteps(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count"]:
        """Draw random timesteps to train at, all equally likely."""
        timesteps = torch.randint(
            len(self), (count,), generator=generator, device=generator.device
        )
        return timesteps.float()

    def timesteps(self, steps: int) -> Sequence[Timestep]:
        """Spread a sampler's timesteps evenly over the schedule, from the last one
        down: sampling begins where the images are pure noise.

        Raises:
            ValueError: If `steps` is larger than the number of timesteps.

        Source: Lin et al., Common Diffusion Noise Schedules and Sample Steps are
            Flawed, table 2 ("trailing"), https://arxiv.org/abs/2305.08891

        >>> linear_schedule(1000).timesteps(5)
        [999, 799, 599, 399, 199]
        """
        count = len(self)
        if not 1 <= steps <= count:
            raise ValueError(
                f"steps must be from 1 to {count}, those of the schedule, got {steps}."
            )
        return [round(count - k * count / steps) - 1 for k in range(steps)]


def linear_schedule(
    steps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02
) -> NoiseSchedule:
    """Return the schedule whose betas, the variances of the added noise, rise linearly.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, section 4,
    https://arxiv.org/abs/2006.11239

    >>> round(linear_schedule(1000).alpha_bar[-1].item(), 6)
    4e-05
    """
    return _from_betas(torch.linspace(beta_start, beta_end, steps, dtype=torch.float64))


def scaled_linear_schedule(steps: int = 1000) -> NoiseSchedule:
    """Return Stable Diffusion's schedule, in which the square roots of the betas rise
    linearly.

    Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion
        Models, in the published configuration, https://arxiv.org/abs/2112.10752
    """
    roots = torch.linspace(0.00085**0.5, 0.012**0.5, steps, dtype=torch.float64)
    return _from_betas(roots.square())


def cosine_schedule(steps: int = 1000) -> NoiseSchedule:
    """Return the cosine schedule, whose alpha_bar falls along half a cosine wave:
    images lose their detail more slowly than with linear betas.

    An offset keeps the very first betas from being too small, and no beta is above
    0.999, so that a little of the image is left at the end.

    Source: Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models,
        equation 17, https://arxiv.org/abs/2102.09672
    """
    offset, share = 0.008, torch.arange(steps + 1, dtype=torch.float64) / steps
    angle = (share + offset) / (1 + offset) * math.pi / 2
    alpha_bar = angle.cos().square()
    return _from_betas((1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999))


def zero_terminal_snr(schedule: NoiseSchedule) -> NoiseSchedule:
    """Shift and rescale sqrt(alpha_bar) so that the last timestep has no signal; the
    first one stays the same.

    Otherwise the last timestep in training still shows the brightness of the image,
    while sampling begins with noise that does not.

    Source: Lin et al., Common Diffusion Noise Schedules and Sample Steps are Flawed,
        algorithm 1, https://arxiv.org/abs/2305.08891
    """
    signal = schedule.alpha_bar.sqrt()
    rescaled = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
    return NoiseSchedule(rescaled.square())


def _from_betas(betas: Float[Tensor, "T"]) -> NoiseSchedule:
    return NoiseSchedule((1 - betas).cumprod(dim=0))
