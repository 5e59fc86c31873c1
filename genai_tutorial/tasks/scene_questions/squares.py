"""Which squares of a picture an object covers, to compare with where a model looks."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool
from torch import Tensor

from genai_tutorial.tasks.shapes import IMAGE_SIZE, SceneObject


def covered_squares(
    objects: Iterable[SceneObject], patch_size: int
) -> Bool[Tensor, "square"]:
    """Return which squares of a picture the bounding squares of objects touch, row by
    row.

    Args:
        objects: The objects.
        patch_size: Height and width of a square in pixels; must divide the picture's.

    Raises:
        ValueError: If the squares do not fill the picture.

    >>> thing = SceneObject("red", "circle", left=6, top=0, diameter=8)
    >>> covered_squares([thing], patch_size=16).tolist()
    [True, False, False, False]
    """
    if patch_size < 1 or IMAGE_SIZE % patch_size:
        raise ValueError(f"patch_size must divide {IMAGE_SIZE}, got {patch_size}.")
    side = IMAGE_SIZE // patch_size
    covered = torch.zeros(side, side, dtype=torch.bool)
    for thing in objects:
        last = thing.diameter - 1
        rows = slice(thing.top // patch_size, (thing.top + last) // patch_size + 1)
        columns = slice(thing.left // patch_size, (thing.left + last) // patch_size + 1)
        covered[rows, columns] = True
    return covered.flatten()
