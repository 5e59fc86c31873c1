"""Attribute binding: does each shape have its own colour, or that of the other shape?
And do the words of a caption attend to the shape that they name?
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .caption_accuracy import MOST_MISFIT, caption_score
from .captions import Description, describe
from .random_scenes import random_scenes
from .scenes import IMAGE_SIZE, SceneObject
from .verifier import read_scenes


def unlike_pairs(n: int, seed: int) -> tuple[Description, ...]:
    """Return full descriptions of two objects that differ in colour and in shape, so
    that each colour and each shape word means one of them.
    """
    generator = torch.Generator().manual_seed(seed)
    found: list[Description] = []
    while len(found) < n:
        for scene in random_scenes(2 * n, generator, (2,)):
            description = describe(scene)
            first, second = description.objects
            if first.colour != second.colour and first.shape != second.shape:
                found.append(description)
    return tuple(found[:n])


@dataclass(frozen=True)
class ColourBinding:
    """The colours of the named shapes that a picture shows exactly once.

    Attributes:
        shapes: The number of such shapes.
        own: The number that have the colour given in the caption.
        swapped: The number that have the colour of the other shape.
    """

    shapes: int
    own: int
    swapped: int


def colour_binding(
    descriptions: Sequence[Description], images: Float[Tensor, "n 3 height width"]
) -> ColourBinding:
    """Count in how many named shapes the colour is the shape's own or the other one's.

    Args:
        descriptions: Two objects of different colours and shapes for each picture, as
            `unlike_pairs` returns them.
        images: A picture for each description. Patches that resemble no shape are left
            out, and so are shapes that appear twice.

    Raises:
        ValueError: If there are not as many descriptions as pictures.

    >>> from genai_tutorial.tasks.shapes import load_shapes
    >>> shapes = load_shapes(1, seed=0, objects=(2,))
    >>> colour_binding([describe(shapes.scenes[0])], shapes.images)
    ColourBinding(shapes=2, own=2, swapped=0)
    """
    if len(descriptions) != len(images):
        raise ValueError(
            f"Each picture needs one description, got {len(images)} pictures and "
            f"{len(descriptions)} descriptions."
        )
    shapes = own = swapped = 0
    for description, reading in zip(descriptions, read_scenes(images), strict=True):
        first, second = description.objects
        clear = [
            one
            for one, misfit in zip(reading.scene.objects, reading.misfits, strict=True)
            if misfit <= MOST_MISFIT
        ]
        for wanted, other in ((first, second), (second, first)):
            colours = [one.colour for one in clear if one.shape == wanted.shape]
            if len(colours) == 1:
                shapes += 1
                own += colours[0] == wanted.colour
                swapped += colours[0] == other.colour
    return ColourBinding(shapes, own, swapped)


def attention_binding(
    description: Description,
    images: Float[Tensor, "n 3 height width"],
    maps: Float[Tensor, "n token map_height map_width"],
) -> dict[str, list[bool]]:
    """Return for each colour word and each shape word whether its attention map is
    brighter at the object that it describes than at the other one.

    Args:
        description: Two objects of different colours and shapes.
        images: Drawings of it; those that do not show all of it are left out.
        maps: For each drawing and each token of the caption, an attention map.

    Returns:
        Under `colour` and `shape`, one answer for each object of each right drawing.
    """
    words = description.text().split()
    answers: dict[str, list[bool]] = {"colour": [], "shape": []}
    for reading, of_words in zip(read_scenes(images), maps, strict=True):
        if caption_score(description, reading).everything < 1:
            continue
        drawn = {thing.shape: thing for thing in reading.scene.objects}
        for own, other in (description.objects, description.objects[::-1]):
            for kind, found in answers.items():
                word_map = of_words[words.index(getattr(own, kind))]
                found.append(
                    _mean_at(word_map, drawn[own.shape])
                    > _mean_at(word_map, drawn[other.shape])
                )
    return answers


def _mean_at(
    word_map: Float[Tensor, "map_height map_width"],
    thing: SceneObject,
) -> float:
    """Return the mean of a map over the square that an object fits into."""
    large = functional.interpolate(word_map[None, None], size=IMAGE_SIZE)[0, 0]
    top, left = max(thing.top, 0), max(thing.left, 0)
    square = large[top : top + thing.diameter, left : left + thing.diameter]
    return square.mean().item()
