"""Outlines of scenes, and whether an image follows one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.tasks import check_same_length

from .scenes import Scene, SceneObject
from .verifier import read_scenes

_EDGE = 0.25  # the smallest difference between neighbouring pixels that is an edge
_INK = 0.8  # a pixel with a darker channel belongs to an object
_GREY = 0.5
NEAR = 2.5
"""The most pixels between the centre of an object and the centre that was wanted."""

_NEAR_DIAMETER = 2  # pixels


def outlines(
    images: Float[Tensor, "n 3 height width"],
) -> Float[Tensor, "n 1 height width"]:
    """Return the outlines of images, without their colours: 1 where a pixel differs
    from the one above it or to the left, else 0.

    >>> from .pictures import load_shapes
    >>> outlines(load_shapes(1, seed=0).images).unique()
    tensor([0., 1.])
    """
    steps = [
        (images - images.roll(1, dims=dim)).abs().amax(dim=1, keepdim=True)
        for dim in (2, 3)
    ]
    return (torch.maximum(*steps) > _EDGE).float()


def silhouettes(
    images: Float[Tensor, "n 3 height width"],
) -> Float[Tensor, "n 3 height width"]:
    """Return images with every object in the same grey, on white: outlines that are
    filled.
    """
    inside = images.amin(dim=1, keepdim=True) < _INK
    return torch.where(inside, _GREY, 1.0).expand(-1, 3, -1, -1).contiguous()


@dataclass(frozen=True)
class LayoutAccuracy:
    """Agreement of an image with a scene, or means over many; from 0 to 1.

    Attributes:
        colour: Share of the wanted objects whose nearest object has their colour.
        shape: Share whose nearest object has their shape.
        size: Share whose nearest object has their diameter, within 2 pixels.
        place: Share whose nearest object has their centre, within 2.5 pixels.
        everything: Share of images with all of this right, and no further object.
    """

    colour: float
    shape: float
    size: float
    place: float
    everything: float


def layout_accuracy(
    scenes: Sequence[Scene], images: Float[Tensor, "n 3 height width"]
) -> LayoutAccuracy:
    """Return the means of `layout_scores`.

    >>> from .pictures import load_shapes
    >>> shapes = load_shapes(10, seed=0)
    >>> layout_accuracy(shapes.scenes, shapes.images).everything
    1.0
    """
    scores = layout_scores(scenes, images)
    return LayoutAccuracy(
        *(
            sum(getattr(score, field.name) for score in scores) / len(scores)
            for field in fields(LayoutAccuracy)
        )
    )


def layout_scores(
    scenes: Sequence[Scene], images: Float[Tensor, "n 3 height width"]
) -> list[LayoutAccuracy]:
    """Read each image and compare its objects with a scene's.

    Raises:
        ValueError: If there are not as many scenes as images, or none.
    """
    check_same_length(pictures=images, scenes=scenes)
    if not scenes:
        raise ValueError("There is no picture to compare with its scene.")
    return [
        _score(wanted, reading.scene)
        for wanted, reading in zip(scenes, read_scenes(images), strict=True)
    ]


def _score(wanted: Scene, seen: Scene) -> LayoutAccuracy:
    checks = [agreement(thing, nearest(thing, seen)) for thing in wanted.objects]
    columns = list(zip(*checks, strict=True))
    as_many = len(seen.objects) == len(wanted.objects)
    complete = as_many and all(map(all, checks))
    return LayoutAccuracy(
        *(sum(column) / len(checks) for column in columns), float(complete)
    )


def nearest(thing: SceneObject, seen: Scene) -> SceneObject | None:
    """Return the object of a scene whose centre is nearest to another's."""

    def distance(other: SceneObject) -> float:
        (x, y), (other_x, other_y) = thing.centre, other.centre
        return (x - other_x) ** 2 + (y - other_y) ** 2

    return min(seen.objects, key=distance, default=None)


def agreement(
    wanted: SceneObject, found: SceneObject | None
) -> tuple[bool, bool, bool, bool]:
    """Return whether colour, shape, size and place of an object are as wanted."""
    if found is None:
        return False, False, False, False
    (x, y), (found_x, found_y) = wanted.centre, found.centre
    return (
        found.colour == wanted.colour,
        found.shape == wanted.shape,
        abs(found.diameter - wanted.diameter) <= _NEAR_DIAMETER,
        max(abs(x - found_x), abs(y - found_y)) <= NEAR,
    )
