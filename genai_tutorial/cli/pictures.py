"""Grids of small images as PNG files."""

import math
from pathlib import Path

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from genai_tutorial.runtime import write_atomically

COLUMNS = 10
GAP = 2
SHORTEST_SIDE = 84
"""Images are enlarged by a whole factor, so that their shorter side has at least this
many pixels.
"""


def grid(images: Float[Tensor, "count *channels height width"]) -> Image.Image:
    """Lay out images in rows of ten from the top left, with enlarged pixels.

    Args:
        images: Brightness from 0 to 1, grey or with three channels.

    >>> import torch
    >>> grid(torch.zeros(12, 28, 28)).size
    (862, 174)
    """
    pixels = images.detach().cpu().clamp(0, 1).mul(255).round().byte()
    pixels = pixels[:, None].expand(-1, 3, -1, -1) if pixels.ndim == 3 else pixels
    count, _, height, width = pixels.shape
    scale = math.ceil(SHORTEST_SIDE / min(height, width))
    columns, rows = min(count, COLUMNS), math.ceil(count / COLUMNS)
    across, down = scale * width + GAP, scale * height + GAP
    page = Image.new("RGB", (columns * across + GAP, rows * down + GAP), "white")
    for number, image in enumerate(pixels):
        tile = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).resize(
            (scale * width, scale * height), Image.Resampling.NEAREST
        )
        page.paste(
            tile, (GAP + number % COLUMNS * across, GAP + number // COLUMNS * down)
        )
    return page


def write_grid(
    images: Float[Tensor, "count *channels height width"], path: Path
) -> None:
    """Write a grid of images to a PNG file atomically."""
    with write_atomically(path) as file:
        grid(images).save(file, "PNG", optimize=True)
