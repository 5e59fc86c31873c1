"""The timestep embedding, which tells a denoising network how much noise there is."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def sinusoidal_features(
    time: Float[Tensor, "batch"], width: int, max_period: float = 10_000.0
) -> Float[Tensor, "batch width"]:
    """Return sines and cosines of `width / 2` frequencies, from 1 down to 1 /
    max_period.

    High frequencies distinguish neighbouring timesteps, low ones early from late.

    Args:
        time: One number per image, best on a scale of some hundreds.
        width: The number of features: first the sines, then the cosines.
        max_period: The ratio of the first frequency to the last.

    Raises:
        ValueError: If `width` is odd or below 4.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, appendix B,
    https://arxiv.org/abs/2006.11239

    >>> sinusoidal_features(torch.tensor([0.0, 1.0]), width=4)
    tensor([[0.0000e+00, 0.0000e+00, 1.0000e+00, 1.0000e+00],
            [8.4147e-01, 1.0000e-04, 5.4030e-01, 1.0000e+00]])
    """
    if width < 4 or width % 2:
        raise ValueError(
            "width must be even and at least 4, half sines and half cosines; got "
            f"{width}."
        )
    half = width // 2
    frequencies = torch.exp(
        -math.log(max_period) * torch.arange(half, device=time.device) / (half - 1)
    )
    angles = time.float()[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), dim=1).to(time.dtype)


class TimeEmbedding(nn.Module):
    """Sinusoidal features of the timestep, followed by a network of two layers.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, appendix B,
        https://arxiv.org/abs/2006.11239
    """

    def __init__(
        self, width: int, sinusoidal_width: int = 128, time_scale: float | int = 1
    ):
        super().__init__()
        self.sinusoidal_width, self.time_scale = sinusoidal_width, time_scale
        self.widen = nn.Linear(sinusoidal_width, width)
        self.output = nn.Linear(width, width)

    def forward(self, time: Float[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
        """Return an embedding for each timestep."""
        features = sinusoidal_features(time * self.time_scale, self.sinusoidal_width)
        return self.output(nn.functional.silu(self.widen(features)))
