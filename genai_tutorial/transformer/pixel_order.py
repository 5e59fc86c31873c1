"""The order of the pixels in the chain rule, and the pixels that precede each."""

import torch
from jaxtyping import Int
from torch import Tensor


def chain_order(side: int, patch: int) -> Int[Tensor, "pixel"]:
    """Return the order of the pixels in the chain rule: patch by patch, and row by row
    within a patch; pixels are numbered row by row.
    """
    numbers = torch.arange(side * side).view(side // patch, patch, side // patch, patch)
    return numbers.transpose(1, 2).flatten()


def known_around(side: int, patch: int, sight: int) -> Int[Tensor, "pixel neighbour"]:
    """Return the neighbours of each pixel that precede it in the chain; -1 for those
    that follow it or are outside the image.
    """
    turn = chain_order(side, patch).argsort()
    reach = range(-sight, sight + 1)
    steps = torch.tensor(
        [(down, right) for down in reach for right in reach if (down, right) != (0, 0)]
    )
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    rows, columns = (places[:, None] + steps).unbind(dim=2)
    inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    numbers = rows.clamp(0, side - 1) * side + columns.clamp(0, side - 1)
    known = inside & (turn[numbers] < turn[:, None])
    found = torch.where(known, numbers, -1)
    return found[:, known.any(dim=0)] if known.any() else found
