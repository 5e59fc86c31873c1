"""What a network predicts: the noise, the image, or a velocity. Together with x_t, each
of them tells the others.

A noisy image is a sum of two parts, x_t = a x0 + b noise, with a and b from the
schedule. Whoever knows x_t and one more combination of the two parts can solve for
both: two equations with two unknowns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.schedule import Level


class Denoised(NamedTuple):
    """The two parts of a noisy image, x_t = a x0 + b noise.

    Attributes:
        x0: The clean image, or a guess of it.
        noise: The noise in it, with variance 1, or a guess of it.
    """

    x0: Float[Tensor, "batch *shape"]
    noise: Float[Tensor, "batch *shape"]


Target = Callable[[Denoised, Level], Float[Tensor, "batch *shape"]]
Reader = Callable[
    [Float[Tensor, "batch *shape"], Float[Tensor, "batch *shape"], Level], Denoised
]


@dataclass(frozen=True)
class Prediction:
    """What a network is trained to output, and how its output is read: `NOISE`,
    `IMAGE`, `VELOCITY` or `FLOW`.

    Attributes:
        target: Of the true parts and the level, what the network should output.
        read: Of the noisy image, the network's output and the level, the two parts.

    >>> import torch
    >>> parts, level = (
    ...     Denoised(torch.tensor([3.0]), torch.tensor([-1.0])),
    ...     Level(signal=0.8, noise=0.6),
    ... )
    >>> x = 0.8 * parts.x0 + 0.6 * parts.noise
    >>> output = VELOCITY.target(parts, level)
    >>> round(VELOCITY.read(x, output, level).x0.item(), 4)
    3.0
    """

    target: Target
    read: Reader


def read_noise(
    x: Float[Tensor, "batch *shape"], noise: Float[Tensor, "batch *shape"], level: Level
) -> Denoised:
    """Solve x = a x0 + b noise for x0. Where a = 0 nothing of the image is left to be
    found.

    Raises:
        ValueError: If the level has no signal: from the noise alone, no image can be
            computed.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, equation 15,
    https://arxiv.org/abs/2006.11239
    """
    if isinstance(level.signal, float) and level.signal == 0:
        raise ValueError(
            "x is pure noise here, so that a prediction of the noise says nothing "
            "about the image: "
            "train with IMAGE, VELOCITY or FLOW where the schedule ends with no signal."
        )
    return Denoised((x - level.noise * noise) / level.signal, noise)


def read_image(
    x: Float[Tensor, "batch *shape"], x0: Float[Tensor, "batch *shape"], level: Level
) -> Denoised:
    """Solve x = a x0 + b noise for the noise."""
    return Denoised(x0, (x - level.signal * x0) / level.noise)


def read_velocity(
    x: Float[Tensor, "batch *shape"],
    velocity: Float[Tensor, "batch *shape"],
    level: Level,
) -> Denoised:
    """Solve for both, where the velocity is v = a noise - b x0. On a
    variance-preserving path a² + b² = 1.

    With a = cos(angle) and b = sin(angle), x moves on a circle from x0 to the noise,
    and v is its speed.

    Source: Salimans and Ho, Progressive Distillation for Fast Sampling of Diffusion
        Models, appendix D, https://arxiv.org/abs/2202.00512
    """
    radius = level.signal**2 + level.noise**2
    x0 = (level.signal * x - level.noise * velocity) / radius
    return Denoised(x0, (level.noise * x + level.signal * velocity) / radius)


def read_flow(
    x: Float[Tensor, "batch *shape"], flow: Float[Tensor, "batch *shape"], level: Level
) -> Denoised:
    """Solve for both, where the flow is noise - x0: the straight line from the image to
    the noise.

    Source: Liu, Gong and Liu, Flow Straight and Fast, equation 1,
        https://arxiv.org/abs/2209.03003 (with the two ends named the other way round)
    """
    total = level.signal + level.noise
    return Denoised((x - level.noise * flow) / total, (x + level.signal * flow) / total)


NOISE = Prediction(target=lambda parts, level: parts.noise, read=read_noise)
IMAGE = Prediction(target=lambda parts, level: parts.x0, read=read_image)
VELOCITY = Prediction(
    target=lambda parts, level: level.signal * parts.noise - level.noise * parts.x0,
    read=read_velocity,
)
FLOW = Prediction(target=lambda parts, level: parts.noise - parts.x0, read=read_flow)
