"""Accuracy of images given their captions, and of edited images, per attribute, as read
by the verifier.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.tasks import check_same_length

from .captions import Description, parse_caption
from .pictures import load_shapes
from .scenes import Colour, SceneObject, place, relation
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

    Args:
        before: The shape of each original image.
        colours: The colour that each edit asked for.
        images: The edited images.

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
