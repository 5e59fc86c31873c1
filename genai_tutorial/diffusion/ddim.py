"""DDIM: the same network without the dice. Take the image apart, and put it together
with less noise.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.ddpm import posterior
from genai_tutorial.diffusion.denoiser import Denoise
from genai_tutorial.diffusion.sampling import Step, fresh_noise, walk
from genai_tutorial.diffusion.schedule import Time


def ddim(
    denoise: Denoise,
    x: Float[Tensor, "batch *shape"],
    times: Sequence[Time],
    *,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """Mix the guessed image and the guessed noise again, in the shares of the next
    time.

    With eta = 0 nothing is random: the same noise always becomes the same image. With
    eta = 1 as much of the noise is replaced by a fresh draw as in DDPM.

    Args:
        denoise: Guesses the clean image and the noise.
        x: Noise to begin with, or a noised image at `times[0]`.
        times: When the model is asked, from noise to image, for example
            `path.times(50)`.
        eta: Which part of DDPM's deviation each step draws anew, from 0 to 1.
        generator: Draws that noise; needed where eta is above 0.

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
    for t, level, earlier in walk(denoise.path, times):
        x0, noise = denoise(x, t)
        drawn = eta * posterior(level, earlier).deviation
        kept = math.sqrt(earlier.noise**2 - drawn**2)
        x = earlier.signal * x0 + kept * noise
        if drawn > 0:
            x = x + drawn * fresh_noise(x, generator)
        yield Step(t, x, x0)
