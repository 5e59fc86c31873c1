"""From a network to what every sampler asks for: which part of this noisy image is
image, and which is noise?
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.prediction import Denoised, Prediction
from genai_tutorial.diffusion.schedule import Path, Time

Model = Callable[..., Float[Tensor, "batch *shape"]]
"""Called as `model(x, t, condition)`: noisy images, a time for each, and what they
should show (or None).
"""


@runtime_checkable
class Denoise(Protocol):
    """What a sampler needs: a path, and a guess of the two parts of an image on it."""

    @property
    def path(self) -> Path:
        """The way into noise."""
        ...

    def __call__(self, x: Float[Tensor, "batch *shape"], t: Time) -> Denoised:
        """Guess the image and the noise in x, which is at time t."""
        ...


@dataclass(frozen=True)
class Denoiser:
    """A network, the path it was trained on, and what its output means.

    Attributes:
        model: Called as `model(x, t, condition)`.
        path: A `NoiseSchedule` or a `StraightPath`.
        prediction: What the model was trained to output.
        condition: What the images should show; handed to the model as it is.
        limit: No pixel of a clean image is further from 0 than this: guesses are cut
            off there. None for no limit.

    Raises:
        ValueError: If the limit is not above 0.
    """

    model: Model
    path: Path
    prediction: Prediction
    condition: object = None
    limit: float | None = None

    def __post_init__(self):
        if self.limit is not None and not self.limit > 0:
            raise ValueError(
                f"limit must be above 0, or None for no limit; got {self.limit}."
            )

    @torch.no_grad()
    def __call__(self, x: Float[Tensor, "batch *shape"], t: Time) -> Denoised:
        """Guess the image and the noise in x, which is at time t."""
        level = self.path.level(t)
        times = torch.full((len(x),), float(t), dtype=x.dtype, device=x.device)
        parts = self.prediction.read(x, self.model(x, times, self.condition), level)
        if self.limit is None:
            return parts
        x0 = parts.x0.clamp(-self.limit, self.limit)
        return Denoised(x0, (x - level.signal * x0) / level.noise)
