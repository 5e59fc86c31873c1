"""Prediction types: a network predicts the noise, the image, or a velocity; with x_t,
each of them determines the others.

A noisy image is a sum of two parts, x_t = a x0 + b noise, with a and b from the
schedule. x_t and one more combination of the two parts are two equations with two
unknowns, so both parts can be solved for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from .schedule import NoiseLevel


class Denoised(NamedTuple):
    """The two parts of a noisy image, x_t = a x0 + b noise.

    Attributes:
        x0: The clean image, or a prediction of it.
        noise: The noise in it, with variance 1, or a prediction of it.
    """

    x0: Float[Tensor, "batch *shape"]
    noise: Float[Tensor, "batch *shape"]


Target = Callable[[Denoised, NoiseLevel], Float[Tensor, "batch *shape"]]
ToDenoised = Callable[
    [Float[Tensor, "batch *shape"], Float[Tensor, "batch *shape"], NoiseLevel], Denoised
]


@dataclass(frozen=True)
class Prediction:
    """A training target, and the way back from it to image and noise: `NOISE`, `IMAGE`,
    `VELOCITY` or `FLOW`.

    Attributes:
        target: Computes the target from the true parts and the noise level.
        to_denoised: Computes the two parts from the noisy image, the network's output
            and the noise level.

    >>> import torch
    >>> parts = Denoised(torch.tensor([3.0]), torch.tensor([-1.0]))
    >>> level = NoiseLevel(signal=0.8, noise=0.6)
    >>> x = 0.8 * parts.x0 + 0.6 * parts.noise
    >>> output = VELOCITY.target(parts, level)
    >>> round(VELOCITY.to_denoised(x, output, level).x0.item(), 4)
    3.0
    """

    target: Target
    to_denoised: ToDenoised


def denoised_from_noise(
    x: Float[Tensor, "batch *shape"],
    noise: Float[Tensor, "batch *shape"],
    level: NoiseLevel,
) -> Denoised:
    """Solve x = a x0 + b noise for x0.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, equation 15,
        https://arxiv.org/abs/2006.11239
    """
    if isinstance(level.signal, float) and level.signal == 0:
        raise ValueError(
            "x is pure noise here, so a prediction of the noise gives no information "
            "about the image: train with IMAGE, VELOCITY or FLOW if the schedule ends "
            "with no signal."
        )
    return Denoised((x - level.noise * noise) / level.signal, noise)


def denoised_from_image(
    x: Float[Tensor, "batch *shape"],
    x0: Float[Tensor, "batch *shape"],
    level: NoiseLevel,
) -> Denoised:
    """Solve x = a x0 + b noise for the noise."""
    return Denoised(x0, (x - level.signal * x0) / level.noise)


def denoised_from_velocity(
    x: Float[Tensor, "batch *shape"],
    velocity: Float[Tensor, "batch *shape"],
    level: NoiseLevel,
) -> Denoised:
    """Solve for both, where the velocity is v = a noise - b x0. On a
    variance-preserving path a² + b² = 1.

    With a = cos(angle) and b = sin(angle), x moves on a circle from x0 to the noise,
    and v is its velocity.

    Source: Salimans and Ho, Progressive Distillation for Fast Sampling of Diffusion
        Models, appendix D, https://arxiv.org/abs/2202.00512
    """
    squared_radius = level.signal**2 + level.noise**2
    x0 = (level.signal * x - level.noise * velocity) / squared_radius
    return Denoised(x0, (level.noise * x + level.signal * velocity) / squared_radius)


def denoised_from_flow(
    x: Float[Tensor, "batch *shape"],
    flow: Float[Tensor, "batch *shape"],
    level: NoiseLevel,
) -> Denoised:
    """Solve for both, where the flow is noise - x0: the straight line from the image to
    the noise.

    Source: Liu, Gong and Liu, Flow Straight and Fast, equation 1,
        https://arxiv.org/abs/2209.03003 (with the two ends named the other way round)
    """
    total = level.signal + level.noise
    return Denoised((x - level.noise * flow) / total, (x + level.signal * flow) / total)


NOISE = Prediction(lambda parts, _: parts.noise, denoised_from_noise)
IMAGE = Prediction(lambda parts, _: parts.x0, denoised_from_image)
VELOCITY = Prediction(
    lambda parts, level: level.signal * parts.noise - level.noise * parts.x0,
    denoised_from_velocity,
)
FLOW = Prediction(lambda parts, _: parts.noise - parts.x0, denoised_from_flow)
