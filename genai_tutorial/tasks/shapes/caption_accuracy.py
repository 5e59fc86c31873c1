"""Accuracy of images given their captions, and of edited images, per attribute, as read
by the verifier; and attribute binding: does an image, an attention map or a score of
captions give each shape its own colour, or the other shape's?
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import permutations
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.tasks import check_choice, check_same_length

from .captions import Description, describe, parse_caption
from .pictures import (
    HELD_OUT_EITHER_WAY,
    HELD_OUT_PAIRS,
    CaptionedScenes,
    load_shapes,
    random_scenes,
)
from .scenes import IMAGE_SIZE, OPPOSITE, Colour, SceneObject, place, relation
from .verifier import Reading, read_scenes

MOST_MISFIT = 0.3
"""The largest misfit of a patch that counts as a shape."""

_MOST_COMPARED = 6  # only the largest patches are matched with the caption's objects


@dataclass(frozen=True)
class CaptionAccuracy:
    """Agreement of an image with its caption, or means over many; from 0 to 1, or None
    for attributes that no caption names.

    Attributes:
        count: Share of images with as many objects as the caption names.
        colour: Share of the named colours that are correct.
        shape: Share of the shapes that are correct.
        size: Share of the named sizes that are correct.
        relation: Share of the relations (or the positions) that are correct.
        everything: Share of images in which all of these are correct.
    """

    count: float
    colour: float | None
    shape: float
    size: float | None
    relation: float | None
    everything: float


def caption_accuracy(
    captions: Sequence[str], images: Float[Tensor, "n 3 height width"]
) -> CaptionAccuracy:
    """Return the means of `caption_scores`, each over the captions that mention the
    attribute.

    >>> shapes = load_shapes(10, seed=0)
    >>> caption_accuracy(shapes.captions, shapes.images).everything
    1.0
    """
    scores = caption_scores(captions, images)
    columns = (
        [getattr(score, field.name) for score in scores]
        for field in fields(CaptionAccuracy)
    )
    return CaptionAccuracy(
        *(_mean([value for value in column if value is not None]) for column in columns)
    )


def caption_scores(
    captions: Sequence[str], images: Float[Tensor, "n 3 height width"]
) -> list[CaptionAccuracy]:
    """Read each image and compare it with its caption.

    Raises:
        ValueError: If there are not as many captions as images, or a caption is not a
            sentence of the grammar.
    """
    check_same_length(pictures=images, captions=captions)
    if not captions:
        raise ValueError("There is no picture to compare with its caption.")
    described = [parse_caption(text) for text in captions]
    return [
        caption_score(description, reading)
        for description, reading in zip(described, read_scenes(images), strict=True)
    ]


def caption_score(description: Description, reading: Reading) -> CaptionAccuracy:
    """Compare a caption with a reading; the objects of both are matched such that the
    score is as high as possible.
    """
    wanted = description.objects
    seen = list(zip(reading.scene.objects, reading.misfits, strict=True))[
        :_MOST_COMPARED
    ]
    # objects that the caption names and the image lacks
    nothing = [(None, 0.0)] * (len(wanted) - len(seen))
    has_as_many = len(reading.scene.objects) == len(wanted)
    scores = (
        _score(description, has_as_many, chosen)
        for chosen in permutations([*seen, *nothing], len(wanted))
    )
    return max(
        scores,
        key=lambda score: (
            score.everything,
            sum(v for v in vars(score).values() if v is not None),
        ),
    )


def verifier_accuracy(n: int, seed: int, noise: float | int = 0.0) -> CaptionAccuracy:
    """Measure the accuracy of the verifier itself on rendered scenes of one or two
    objects, whose ground truth is known.

    Args:
        noise: The standard deviation of Gaussian noise on each value.

    >>> verifier_accuracy(100, seed=1, noise=0.1).everything > 0.95
    True
    """
    shapes = load_shapes(n, seed, objects=(1, 2))
    draws = torch.randn(
        shapes.images.shape, generator=torch.Generator().manual_seed(seed)
    )
    return caption_accuracy(shapes.captions, shapes.images + noise * draws)


def _score(
    description: Description,
    has_as_many: bool,
    chosen: Sequence[tuple[SceneObject | None, float]],
) -> CaptionAccuracy:
    first, *others = [thing for thing, _ in chosen]
    if description.place is None:
        related = [
            first is not None and other is not None and relation(first, other) == how
            for how, other in zip(description.relations, others, strict=False)
        ]
    else:
        related = [first is not None and place(first) == description.place]
    parts = {
        name: [
            getattr(thing, name, None) == getattr(wanted, name)
            and not (name == "shape" and misfit > MOST_MISFIT)
            for wanted, (thing, misfit) in zip(description.objects, chosen, strict=True)
            if getattr(wanted, name)
        ]
        for name in ("colour", "shape", "size")
    }
    parts["relation"] = related
    everything = has_as_many and all(all(right) for right in parts.values())
    return CaptionAccuracy(
        count=float(has_as_many),
        **{name: _mean(right) for name, right in parts.items()},
        everything=float(everything),
    )


def _mean(values: Sequence[float | bool]) -> float | None:
    return sum(values) / len(values) if values else None


_FARTHEST = 3  # pixels by which a shape at the same position may have moved


@dataclass(frozen=True)
class EditAccuracy:
    """Shares of edited images.

    Attributes:
        new_colour: Images whose largest shape has the requested colour.
        same_place: Images whose largest shape has moved by at most three pixels.
    """

    new_colour: float
    same_place: float


def edit_accuracy(
    before: Sequence[SceneObject],
    colours: Sequence[Colour],
    images: Float[Tensor, "n 3 height width"],
) -> EditAccuracy:
    """Compare edited images of single shapes with the originals.

    >>> shapes = load_shapes(1, seed=0, objects=(1,))
    >>> things = [scene.objects[0] for scene in shapes.scenes]
    >>> edit_accuracy(things, ["red"], shapes.images)
    EditAccuracy(new_colour=0.0, same_place=1.0)
    """
    check_same_length(pictures=images, shapes=before, colours=colours)
    new_colour = same_place = 0
    for thing, colour, reading in zip(
        before, colours, read_scenes(images), strict=True
    ):
        for now in reading.scene.objects[:1]:
            moved = max(abs(now.top - thing.top), abs(now.left - thing.left))
            new_colour += now.colour == colour
            same_place += moved <= _FARTHEST
    return EditAccuracy(new_colour / len(images), same_place / len(images))


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
