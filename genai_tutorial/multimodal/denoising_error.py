"""The denoising error as a score for captions: with the caption that fits, a
text-to-image model removes the noise better.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.diffusion import (
    Denoiser,
    NoiseSchedule,
    Prediction,
    TextCondition,
)
from genai_tutorial.diffusion.samplers.denoiser import Model


@torch.no_grad()
def denoising_errors(
    model: Model,
    path: NoiseSchedule,
    prediction: Prediction,
    x0: Float[Tensor, "image channel height width"],
    condition: Int[Tensor, "image token"] | TextCondition | None,
    *,
    times: Sequence[int],
    seed: int,
) -> Float[Tensor, "image"]:
    """Return for each image the mean squared error of the predicted clean image, over
    several noise levels.

    The noise depends on the seed alone, so two calls with different captions compare
    them on the same noisy images.

    Args:
        model: Called as `model(x, t, condition)`.
        path: The noise schedule that it was trained on.
        prediction: The quantity that it was trained to output.
        x0: The clean images, with values from -1 to 1.
        condition: A text per image, or None.
        times: The timesteps at which noise is added.
        seed: Seed of the noise.

    Raises:
        ValueError: If there is no timestep.

    Source: Li et al., Your Diffusion Model is Secretly a Zero-Shot Classifier,
        https://arxiv.org/abs/2303.16203
    """
    if not times:
        raise ValueError("times must name at least one timestep, got none.")
    generator = torch.Generator().manual_seed(seed)
    denoise = Denoiser(model, path, prediction, condition)
    errors = torch.zeros(len(x0), device=x0.device)
    for t in times:
        noise = torch.randn(x0.shape, generator=generator).to(x0.device)
        predicted = denoise(path.add_noise(x0, noise, t), t).x0
        errors += (predicted - x0).square().mean(dim=(1, 2, 3))
    return errors / len(times)
