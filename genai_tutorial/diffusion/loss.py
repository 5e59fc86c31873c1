"""The training loss of every diffusion model: add noise at a random timestep, and
predict it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .prediction import Denoised, Prediction
from .samplers import Model
from .schedule import NoisePath


def diffusion_loss(
    model: Model,
    path: NoisePath,
    prediction: Prediction,
    x0: Float[Tensor, "batch *shape"],
    condition: object = None,
    *,
    generator: torch.Generator,
    timesteps: Float[Tensor, "batch"] | None = None,
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
        timesteps: The timestep of each image; None lets the path draw them.

    Returns:
        One number: 1 for a noise prediction that is always zero, 0 for a perfect one,
            which does not exist.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, equation 14 and
        algorithm 1, https://arxiv.org/abs/2006.11239; with `FLOW`, Lipman et al., Flow
        Matching for Generative Modeling, equation 23, https://arxiv.org/abs/2210.02747
    """
    if timesteps is None:
        timesteps = path.draw_timesteps(len(x0), generator)
    t = timesteps.to(x0.device)
    noise = torch.randn(
        x0.shape, generator=generator, device=generator.device, dtype=x0.dtype
    ).to(x0.device)
    output = model(path.add_noise(x0, noise, t), t, condition)
    target = prediction.target(Denoised(x0, noise), path.levels(t, x0))
    return (output - target).square().mean()
