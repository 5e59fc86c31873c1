"""Editing: did a picture get its new colour, and is the shape where it was?"""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from .scenes import Colour, SceneObject
from .verifier import read_scenes

_FARTHEST = 3  # pixels by which a shape at the same place may have moved


@dataclass(frozen=True)
class EditAccuracy:
    """Shares of edited pictures.

    Attributes:
        new_colour: Pictures whose largest shape has the requested colour.
        same_place: Pictures whose largest shape is where it was, within three pixels.
    """

    new_colour: float
    same_place: float


def edit_accuracy(
    before: Sequence[SceneObject],
    colours: Sequence[Colour],
    images: Float[Tensor, "n 3 height width"],
) -> EditAccuracy:
    """Compare edited pictures of single shapes with the originals.

    Args:
        before: The shape of each original picture.
        colours: The colour that each edit asked for.
        images: The edited pictures.

    Raises:
        ValueError: If the numbers of shapes, colours and pictures differ.

    >>> from genai_tutorial.tasks.shapes import load_shapes
    >>> shapes = load_shapes(1, seed=0, objects=(1,))
    >>> things = [scene.objects[0] for scene in shapes.scenes]
    >>> edit_accuracy(things, ["red"], shapes.images)
    EditAccuracy(new_colour=0.0, same_place=1.0)
    """
    if not len(before) == len(colours) == len(images):
        raise ValueError(
            f"Each picture needs a shape and a colour, got {len(images)} pictures, "
            f"{len(before)} shapes and {len(colours)} colours."
        )
    new_colour = same_place = 0
    for thing, colour, reading in zip(
        before, colours, read_scenes(images), strict=True
    ):
        for now in reading.scene.objects[:1]:
            moved = max(abs(now.top - thing.top), abs(now.left - thing.left))
            new_colour += now.colour == colour
            same_place += moved <= _FARTHEST
    return EditAccuracy(new_colour / len(images), same_place / len(images))
