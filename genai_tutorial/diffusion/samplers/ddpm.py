"""DDPM: sample by reversing the noising process, one random step after another."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..noise_path import NoiseLevel, Timestep
from .denoiser import Denoise
from .sampling import Step, level_pairs, noise_like


class Posterior(NamedTuple):
    """The normal distribution of an earlier image, given a later one and the clean one.

    Its mean is `x0_coefficient * x0 + x_coefficient * x`, its standard deviation is
    `deviation`.
    """

    x0_coefficient: float
    x_coefficient: float
    deviation: float


def posterior(later: NoiseLevel, earlier: NoiseLevel) -> Posterior:
    """Compute q(x_s | x_t, x_0), the distribution of the image at an earlier timestep
    s, given the noisy image at t and the clean one.

    From s to t, the image was multiplied by `decay` and received fresh noise of
    variance `beta`. Bayes' rule then gives a normal distribution. s need not be the
    timestep just before t: a sampler may skip some.

    At s = clean, the mean is x_0 itself and the standard deviation is 0: the last step
    adds no noise.

    Args:
        later: The noise level at t.
        earlier: The noise level at s, with less noise.

    Raises:
        ValueError: If the earlier level does not have less noise.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, equations 6 and 7,
    https://arxiv.org/abs/2006.11239

    >>> posterior(later=NoiseLevel(0.6, 0.8), earlier=NoiseLevel(1.0, 0.0))
    Posterior(x0_coefficient=1.0, x_coefficient=0.0, deviation=0.0)
    """
    decay = later.signal / earlier.signal
    beta = later.noise**2 - (decay * earlier.noise) ** 2
    if not beta > 0:
        raise ValueError(
            f"The earlier level must have less noise than the later one, got {earlier} "
            f"and {later}."
        )
    return Posterior(
        x0_coefficient=earlier.signal * beta / later.noise**2,
        x_coefficient=decay * earlier.noise**2 / later.noise**2,
        deviation=math.sqrt(beta) * earlier.noise / later.noise,
    )


def ddpm(
    denoise: Denoise,
    x: Float[Tensor, "batch *shape"],
    timesteps: Sequence[Timestep],
    generator: torch.Generator,
) -> Iterator[Step]:
    """Draw each earlier image from q(x_s | x_t, x_0), with the model's prediction in
    place of x_0.

    Args:
        denoise: Predicts the clean image.
        x: Initial noise, or a noised image at `timesteps[0]`.
        timesteps: The timesteps at which the model is called, from noise to image, for
            example `path.timesteps(1000)`.
        generator: Random generator for the noise of each step.

    Yields:
        Each step; the last one holds the samples, `last_sample(ddpm(...))`.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, algorithm 2,
        https://arxiv.org/abs/2006.11239, with the smaller of its two variances
    """
    for t, level, earlier in level_pairs(denoise.path, timesteps):
        x0 = denoise(x, t).x0
        q = posterior(level, earlier)
        x = q.x0_coefficient * x0 + q.x_coefficient * x
        if q.deviation > 0:
            x = x + q.deviation * noise_like(x, generator)
        yield Step(t, x, x0)
