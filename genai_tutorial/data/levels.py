"""Grey levels: an 8-bit pixel is one of 256 integers, whatever scale a model uses.

Bits per dimension are comparable only between models that assign probabilities to the
same integers. A model with a continuous density does so by dequantization, which
spreads each level uniformly over an interval.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

LEVELS = 256
"""The number of grey levels of an 8-bit pixel."""


def to_levels(images: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Return the level of each pixel, 0 to 255, of images with brightness from 0 to 1.

    Raises:
        ValueError: If a pixel is outside 0 to 1, or is not a number.

    >>> to_levels(torch.tensor([0.0, 0.5, 1.0]))
    tensor([  0, 128, 255])
    """
    if not bool(((images >= 0) & (images <= 1)).all()):
        raise ValueError(
            f"brightness must be from 0 to 1, got {images.min():.3f} to "
            f"{images.max():.3f}."
        )
    return (images * (LEVELS - 1)).round().long()


def from_levels(levels: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return the brightness of each level: 0 for level 0, 1 for level 255."""
    return levels.float() / (LEVELS - 1)


def dequantize(
    levels: Int[Tensor, "*shape"], generator: torch.Generator
) -> Float[Tensor, "*shape"]:
    """Spread each level uniformly over its interval of width 1/256, so that the pixels
    cover 0 to 1.

    The mean log-density of such pixels, with `level_width=1 / 256` in
    `bits_per_dimension`, is a lower bound on the log-probability of the levels, so a
    density cannot win by placing spikes on the integers.

    Args:
        levels: Levels from 0 to 255.
        generator: Random generator for the position within each interval.

    Raises:
        ValueError: If a level is outside 0 to 255.

    Source: Theis, van den Oord and Bethge (2016), A note on the evaluation of
        generative models, section 3.1, https://arxiv.org/abs/1511.01844

    >>> spread = dequantize(torch.tensor([0, 255]), torch.Generator().manual_seed(0))
    >>> (spread * 256).floor().tolist()
    [0.0, 255.0]
    """
    if levels.min() < 0 or levels.max() >= LEVELS:
        raise ValueError(
            f"levels must be from 0 to {LEVELS - 1}, got {levels.min()} to "
            f"{levels.max()}."
        )
    # In steps of 1/65536 of a level: together with the level these are 24 bits, which a
    # float represents without rounding.
    place = torch.randint(
        65536, levels.shape, generator=generator, device=generator.device
    ).to(levels.device)
    return (levels + place / 65536) / LEVELS


def requantize(spread: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Return the level whose interval contains each number; values outside 0 to 1
    become black or white.

    >>> requantize(torch.tensor([-0.3, 0.0, 0.999, 1.7]))
    tensor([  0,   0, 255, 255])
    """
    return (spread * LEVELS).floor().clamp(0, LEVELS - 1).long()
