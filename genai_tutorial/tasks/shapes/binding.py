"""Attribute binding: does an image, an attention map or a score of captions give each
shape its own colour, or the other shape's?
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.tasks import check_choice, check_same_length

from .caption_accuracy import MOST_MISFIT, caption_score
from .captions import Description, describe
from .pictures import (
    HELD_OUT_EITHER_WAY,
    HELD_OUT_PAIRS,
    CaptionedScenes,
    random_scenes,
)
from .scenes import IMAGE_SIZE, OPPOSITE, SceneObject
from .verifier import read_scenes

Respect = Literal["colour", "shape", "size", "relation"]

CaptionScorer = Callable[
    [Float[Tensor, "n 3 height width"], Sequence[str]], Float[Tensor, "n"]
]
"""Scores a caption for each image; higher means that it fits better."""


@dataclass(frozen=True)
class CaptionQuiz:
    """Images of two objects, each with a true and a false caption."""

    images: Float[Tensor, "n 3 32 32"]
    true_captions: tuple[str, ...]
    false_captions: tuple[str, ...]

    def judge(self, score: CaptionScorer) -> Bool[Tensor, "n"]:
        """Return for each image whether the true caption has the higher score."""
        return score(self.images, self.true_captions) > score(
            self.images, self.false_captions
        )


def caption_quiz(shapes: CaptionedScenes, respect: Respect, count: int) -> CaptionQuiz:
    """Make a quiz from the first `count` images that have a fair false caption in this
    respect.

    A false caption swaps the colours, shapes or sizes of the two objects, or reverses
    their relation. It is fair if it describes different objects (unless the relation is
    what is false), and if it contains no combination that is held out of training.

    Args:
        count: The number of images; fewer if there are not enough.

    Raises:
        ValueError: If there is no such respect, or an image has another number of
            objects.
    """
    check_choice("respect", respect, Respect)
    rows, true_captions, false_captions = [], [], []
    for row, scene in enumerate(shapes.scenes):
        true = describe(scene)
        if len(true.objects) != 2:
            raise ValueError(
                f"Each picture must have two objects, got {len(true.objects)} in "
                f"picture {row}."
            )
        false = _exchanged(true, respect)
        if len(rows) < count and _is_fair(true, false, respect):
            rows.append(row)
            true_captions.append(true.text())
            false_captions.append(false.text())
    return CaptionQuiz(shapes.images[rows], tuple(true_captions), tuple(false_captions))


def _exchanged(true: Description, respect: Respect) -> Description:
    if respect == "relation":
        return replace(true, relations=(OPPOSITE[true.relations[0]],))
    first, second = true.objects
    return replace(
        true,
        objects=(
            replace(first, **{respect: getattr(second, respect)}),
            replace(second, **{respect: getattr(first, respect)}),
        ),
    )


def _is_fair(true: Description, false: Description, respect: Respect) -> bool:
    (first, second), (how,) = false.objects, false.relations
    pairs = {(first.colour, first.shape), (second.colour, second.shape)}
    has_same_objects = set(true.objects) == set(false.objects)
    return (
        pairs.isdisjoint(HELD_OUT_PAIRS)
        and (first.shape, how, second.shape) not in HELD_OUT_EITHER_WAY
        and has_same_objects == (respect == "relation")
    )


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
    """The colours of the named shapes that an image shows exactly once.

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
        descriptions: Two objects of different colours and shapes for each image, as
            `unlike_pairs` returns them.
        images: An image for each description. Patches that resemble no shape are left
            out, and so are shapes that appear twice.
    """
    check_same_length(pictures=images, descriptions=descriptions)
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
        images: Images of it; those that do not show all of it are left out.
        maps: For each image and each token of the caption, an attention map.

    Returns:
        Under `colour` and `shape`, one answer for each object of each correct image.
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
    word_map: Float[Tensor, "map_height map_width"], thing: SceneObject
) -> float:
    """Return the mean of a map over the square that an object fits into."""
    large = functional.interpolate(word_map[None, None], size=IMAGE_SIZE)[0, 0]
    top, left = max(thing.top, 0), max(thing.left, 0)
    square = large[top : top + thing.diameter, left : left + thing.diameter]
    return square.mean().item()
