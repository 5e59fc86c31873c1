"""DDPM: walk back as the noise came, one random step after the other."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.denoiser import Denoise
from genai_tutorial.diffusion.sampling import Step, fresh_noise, walk
from genai_tutorial.diffusion.schedule import Level, Time


class Posterior(NamedTuple):
    """The normal distribution of an earlier image, given a later one and the clean one.

    Its mean is `of_x0 * x0 + of_x * x`, its standard deviation is `deviation`.
    """

    of_x0: float
    of_x: float
    deviation: float


def posterior(later: Level, earlier: Level) -> Posterior:
    """q(x_s | x_t, x_0): where was this image at an earlier time s, if x_0 is where it
    came from?

    From s to t, the image kept the factor `keep` and got fresh noise of variance
    `beta`. Bayes' rule then gives a normal distribution. Nothing says that s is the
    step just before t: a sampler may skip some.

    At s = clean, the answer is x_0 itself, and the deviation is 0: the last step adds
    no noise.

    Args:
        later: The level at t.
        earlier: The level at s, with less noise.

    Raises:
        ValueError: If the earlier level has not less noise.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, equations 6 and 7,
    https://arxiv.org/abs/2006.11239

    >>> posterior(later=Level(0.6, 0.8), earlier=Level(1.0, 0.0))
    Posterior(of_x0=1.0, of_x=0.0, deviation=0.0)
    """
    keep = later.signal / earlier.signal
    beta = later.noise**2 - (keep * earlier.noise) ** 2
    if not beta > 0:
        raise ValueError(
            f"The earlier level must have less noise than the later one, got {earlier} "
            f"and {later}."
        )
    return Posterior(
        of_x0=earlier.signal * beta / later.noise**2,
        of_x=keep * earlier.noise**2 / later.noise**2,
        deviation=math.sqrt(beta) * earlier.noise / later.noise,
    )


def ddpm(
    denoise: Denoise,
    x: Float[Tensor, "batch *shape"],
    times: Sequence[Time],
    generator: torch.Generator,
) -> Iterator[Step]:
    """Draw each earlier image from q(x_s | x_t, x_0), with the model's guess in the
    place of x_0.

    Args:
        denoise: Guesses the clean image.
        x: Noise to begin with, or a noised image at `times[0]`.
        times: When the model is asked, from noise to image, for example
            `path.times(1000)`.
        generator: Draws the noise of each step.

    Yields:
        Each step; the last one holds the samples. `final(ddpm(...))` returns only them.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, algorithm 2,
        https://arxiv.org/abs/2006.11239, with the smaller of its two variances
    """
    for t, level, earlier in walk(denoise.path, times):
        x0 = denoise(x, t).x0
        back = posterior(level, earlier)
        x = back.of_x0 * x0 + back.of_x * x
        if back.deviation > 0:
            x = x + back.deviation * fresh_noise(x, generator)
        yield Step(t, x, x0)
