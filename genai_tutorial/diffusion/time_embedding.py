"""Time: a network that removes noise must know how much there is, so it is told the
time as a vector of waves.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def sinusoidal_features(
    time: Float[Tensor, "batch"], width: int, slowest: float = 10_000.0
) -> Float[Tensor, "batch width"]:
    """Write a number as sines and cosines of `width / 2` frequencies, from 1 down to 1
    / slowest.

    The fast waves tell neighbouring times apart, the slow ones early from late;
    together they spread one number over a vector that a small network can read.

    Args:
        time: One number for each image, best on a scale of some hundreds.
        width: The number of features: first the sines, then the cosines.
        slowest: How many times slower the last wave is than the first.

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
        -math.log(slowest) * torch.arange(half, device=time.device) / (half - 1)
    )
    angles = time.float()[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), dim=1).to(time.dtype)


class TimeEmbedding(nn.Module):
    """The waves of the time, read by a network of two layers.

    Args:
        width: The number of features of the result.
        waves: The number of features that the time is first written as.
        time_scale: What the time is multiplied by: 1 where it counts steps up to 1,000,
            1,000 where it runs from 0 to 1.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, appendix B,
    https://arxiv.org/abs/2006.11239
    """

    def __init__(self, width: int, waves: int = 128, time_scale: float | int = 1):
        super().__init__()
        self.waves, self.time_scale = waves, time_scale
        self.widen = nn.Linear(waves, width)
        self.output = nn.Linear(width, width)

    def forward(self, time: Float[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
        """Return a vector for each time."""
        waves = sinusoidal_features(time * self.time_scale, self.waves)
        return self.output(nn.functional.silu(self.widen(waves)))
