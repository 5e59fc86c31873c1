"""DDIM: deterministic sampling. Split x_t into predicted image and predicted noise, and
recombine them at a lower noise level.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..noise_path import Timestep
from .ddpm import posterior
from .denoiser import Denoise
from .sampling import Step, level_pairs, noise_like


def ddim(
    denoise: Denoise,
    x: Float[Tensor, "batch *shape"],
    timesteps: Sequence[Timestep],
    *,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """Recombine the predicted image and the predicted noise at the next noise level.

    With eta = 0 nothing is random: the same noise always becomes the same image. With
    eta = 1 as much of the noise is replaced by fresh noise as in DDPM.

    Args:
        denoise: Predicts the clean image and the noise.
        x: Initial noise, or a noised image at `timesteps[0]`.
        timesteps: The timesteps at which the model is called, from noise to image, for
            example `path.timesteps(50)`.
        eta: The standard deviation of the fresh noise as a fraction of DDPM's, from 0
            to 1.
        generator: Random generator for that noise; required if eta is above 0.

    Yields:
        Each step; the last one holds the samples.

    Raises:
        ValueError: If eta is not from 0 to 1, or is above 0 without a generator.

    Source: Song, Meng and Ermon, Denoising Diffusion Implicit Models, equations 12 and
        16, https://arxiv.org/abs/2010.02502
    """
    if not 0 <= eta <= 1:
        raise ValueError(
            f"eta must be from 0 (no randomness) to 1 (as much as DDPM), got {eta}."
        )
    if eta > 0 and generator is None:
        raise ValueError(
            f"eta is {eta}, so that noise is drawn at every step: give a generator."
        )
    for t, level, earlier in level_pairs(denoise.path, timesteps):
        x0, noise = denoise(x, t)
        sigma = eta * posterior(level, earlier).deviation
        x = earlier.signal * x0 + math.sqrt(earlier.noise**2 - sigma**2) * noise
        if sigma > 0:
            x = x + sigma * noise_like(x, generator)
        yield Step(t, x, x0)
