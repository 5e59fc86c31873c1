"""Paths from images to noise: the interface between forward processes and samplers."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

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

    def timesteps(
        self, steps: int, start: Timestep | None = None
    ) -> Sequence[Timestep]:
        """Return the timesteps at which a sampler with this many steps calls the model,
        from noise to image.
        """
        ...
