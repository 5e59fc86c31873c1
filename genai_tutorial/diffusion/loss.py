"""The training loss of every diffusion model: add noise at a random timestep, and
predict it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .prediction import Denoised, Prediction
from .samplers import Model, noise_like
from .schedule import NoisePath


def diffusion_loss(
    model: Model,
    path: NoisePath,
    prediction: Prediction,
    x0: Float[Tensor, "batch *shape"],
    condition: object = None,
    *,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Return the mean squared error of a network that predicts the noise, the image or
    a velocity.

    Each image gets its own timestep and noise. All timesteps have the same weight.

    Args:
        model: Called as `model(x, t, condition)`.
        path: The path from image to noise.
        prediction: The quantity that the model is trained to output.
        x0: Clean images, or points, or latent codes.
        condition: Their labels or texts, or None.
        generator: Random generator for the timesteps and the noise.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, equation 14 and
        algorithm 1, https://arxiv.org/abs/2006.11239; with `FLOW`, Lipman et al., Flow
        Matching for Generative Modeling, equation 23, https://arxiv.org/abs/2210.02747
    """
    t = path.draw_timesteps(len(x0), generator).to(x0.device)
    noise = noise_like(x0, generator)
    output = model(path.add_noise(x0, noise, t), t, condition)
    target = prediction.target(Denoised(x0, noise), path.levels(t, x0))
    return (output - target).square().mean()
