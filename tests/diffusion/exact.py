"""The optimal denoiser of normally distributed data, in closed form."""

from dataclasses import dataclass

import torch

from genai_tutorial.diffusion import Denoised, NoiseSchedule, StraightPath


@dataclass(frozen=True)
class ExactGaussian:
    """E[x0 | x] of normal data, equal in each dimension. Counts its calls."""

    path: NoiseSchedule | StraightPath
    mean: float = 1.5
    deviation: float = 0.5

    def __call__(self, x, t):
        signal, noise = self.path.level(t)
        variance = (signal * self.deviation) ** 2 + noise**2
        x0 = self.mean + signal * self.deviation**2 / variance * (
            x - signal * self.mean
        )
        return Denoised(x0, (x - signal * x0) / noise)

    def ode(self, x, start, end):
        """Where the probability-flow ODE leads from the level `start` to the level
        `end`, exactly.

        The ODE keeps each point at the same quantile, and the points are normally
        distributed all the way.
        """
        spread = [((a * self.deviation) ** 2 + b**2) ** 0.5 for a, b in (start, end)]
        return end[0] * self.mean + (x - start[0] * self.mean) * spread[1] / spread[0]


def smooth_schedule(steps, first=0.02, last=6.0):
    """A schedule whose sigma grows geometrically from `first` to `last`: the same
    curve, however many steps cut it.
    """
    sigma = first * (last / first) ** torch.linspace(0, 1, steps, dtype=torch.float64)
    return NoiseSchedule(1 / (1 + sigma**2))


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(
        shape, generator=torch.Generator().manual_seed(seed), dtype=dtype
    )
