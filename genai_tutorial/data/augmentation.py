"""Data augmentation: small random changes that keep the content of an image."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def random_affine(
    images: Float[Tensor, "batch height width"],
    generator: torch.Generator,
    *,
    degrees: float | int = 12,
    stretching: float = 0.1,
    pixels: float | int = 2,
) -> Float[Tensor, "batch height width"]:
    """Rotate, scale and translate each image slightly.

    Args:
        images: Images with a background of 0.
        generator: Random generator on the CPU.
        degrees: Maximum rotation in either direction.
        stretching: Maximum relative change of size.
        pixels: Maximum translation in each direction.
    """
    count, height, width = images.shape
    angle, stretch, right, down = (
        2 * torch.rand(4, count, generator=generator) - 1
    ).to(images.device)
    angle, stretch = angle * math.radians(degrees), 1 + stretching * stretch
    cosine, sine = angle.cos() * stretch, angle.sin() * stretch
    rows = torch.stack(
        [
            cosine,
            -sine,
            2 * pixels * right / width,
            sine,
            cosine,
            2 * pixels * down / height,
        ],
        dim=1,
    )
    grid = functional.affine_grid(
        rows.view(count, 2, 3), [count, 1, height, width], align_corners=False
    )
    return functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]
