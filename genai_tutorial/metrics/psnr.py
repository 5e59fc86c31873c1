"""The peak signal-to-noise ratio of two images."""

from jaxtyping import Float
from torch import Tensor


def psnr(
    images: Float[Tensor, "n c h w"], others: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n"]:
    """Return the peak signal-to-noise ratio of each pair of images with values from 0
    to 1, in decibels: higher is closer.

    Ten decibels more mean a tenth of the squared error; for equal images the ratio is
    infinite.

    Source: Wikipedia, https://en.wikipedia.org/wiki/Peak_signal-to-noise_ratio

    >>> import torch
    >>> psnr(torch.zeros(2, 3, 8, 8), torch.full((2, 3, 8, 8), 0.1)).round()
    tensor([20., 20.])
    """
    return -10 * (images - others).square().mean(dim=(1, 2, 3)).log10()
