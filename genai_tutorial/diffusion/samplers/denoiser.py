"""The denoiser, the interface of every sampler: it splits a noisy image into a
predicted image and predicted noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ..noise_path import NoisePath, Timestep
from ..prediction import Denoised, Prediction

Model = Callable[..., Float[Tensor, "batch *shape"]]
"""Called as `model(x, t, condition)`: noisy images, a timestep for each, and their
labels or texts (or None).
"""


@runtime_checkable
class Denoise(Protocol):
    """The interface of a denoiser: a path, and a prediction of image and noise."""

    @property
    def path(self) -> NoisePath:
        """The path from image to noise."""
        ...

    def __call__(self, x: Float[Tensor, "batch *shape"], t: Timestep) -> Denoised:
        """Predict the image and the noise in x, which is at timestep t."""
        ...


@dataclass(frozen=True)
class Denoiser:
    """A network with the path and the prediction type it was trained with.

    Attributes:
        model: Called as `model(x, t, condition)`.
        path: A `NoiseSchedule` or a `StraightPath`.
        prediction: The quantity that the model was trained to output.
        condition: Passed to the model unchanged.
        limit: The largest absolute value of a clean image; predicted images are clipped
            to it. None for no limit.

    Raises:
        ValueError: If the limit is not above 0.
    """

    model: Model
    path: NoisePath
    prediction: Prediction
    condition: object = None
    limit: float | None = None

    def __post_init__(self):
        if self.limit is not None and not self.limit > 0:
            raise ValueError(
                f"limit must be above 0, or None for no limit; got {self.limit}."
            )

    @torch.no_grad()
    def __call__(self, x: Float[Tensor, "batch *shape"], t: Timestep) -> Denoised:
        """Predict the image and the noise in x, which is at timestep t."""
        level = self.path.level(t)
        timesteps = torch.full((len(x),), float(t), dtype=x.dtype, device=x.device)
        output = self.model(x, timesteps, self.condition)
        denoised = self.prediction.to_denoised(x, output, level)
        if self.limit is None:
            return denoised
        x0 = denoised.x0.clamp(-self.limit, self.limit)
        return Denoised(x0, (x - level.signal * x0) / level.noise)
