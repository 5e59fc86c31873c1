"""The squares of a picture that objects cover, and the share of attention on them."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.tasks.shapes import IMAGE_SIZE, SceneObject


def covered_squares(
    objects: Iterable[SceneObject], patch_size: int
) -> Bool[Tensor, "square"]:
    """Return a mask of the squares of a picture that objects' bounding boxes touch, row
    by row.

    Args:
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


def attention_on_squares(
    weights: Float[Tensor, "question layer head square"],
    chosen: Bool[Tensor, "question square"],
) -> Float[Tensor, "question layer head"]:
    """Return the share of the attention to a picture that falls on the chosen squares.

    A head that attends to all squares equally scores the share of squares that are
    chosen, so compare with that.

    Args:
        weights: The attention to each square; those of a head may sum to less than 1,
            because the text gets the rest.
        chosen: The squares, for example those of the object that is asked for.

    >>> chosen = torch.tensor([[True, False, False, False]])
    >>> attention_on_squares(torch.full((1, 1, 1, 4), 0.1), chosen)
    tensor([[[0.2500]]])
    """
    on_chosen = (weights * chosen[:, None, None]).sum(dim=3)
    return on_chosen / weights.sum(dim=3)
