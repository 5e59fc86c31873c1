"""Outlines of scenes, and instructions that change one object: does an image follow the
outline, does an edited image show the change and nothing else?
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.tasks import check_same_length, pick

from .pictures import random_scenes
from .scenes import DIAMETERS, IMAGE_SIZE, Colour, Scene, SceneObject, Shape
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
        _layout_score(wanted, reading.scene)
        for wanted, reading in zip(scenes, read_scenes(images), strict=True)
    ]


def _layout_score(wanted: Scene, seen: Scene) -> LayoutAccuracy:
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


EditKind = Literal["recolour", "reshape", "resize"]
_LATENT = 4  # pixels per position of the latents


@dataclass(frozen=True)
class Instruction:
    """A scene, what to change in it, and the scene that should result.

    Attributes:
        words: The shape of the object and its new attribute, such as "circle red", in
            the words of captions.
        index: The number of the changed object.
    """

    before: Scene
    after: Scene
    words: str
    kind: EditKind
    index: int


def random_instructions(count: int, seed: int) -> tuple[Instruction, ...]:
    """Draw scenes of one or two different shapes, and an instruction for each: a new
    colour, a new shape or the other size.

    >>> random_instructions(1, seed=0)[0].words
    'triangle small'
    """
    generator = torch.Generator().manual_seed(seed)
    found: list[Instruction] = []
    while len(found) < count:
        for scene in random_scenes(count, generator, (1, 2)):
            shapes = [thing.shape for thing in scene.objects]
            if len(set(shapes)) == len(shapes):
                made = _instruct(scene, generator)
                found += [] if made is None else [made]
    return tuple(found[:count])


def _instruct(scene: Scene, generator: torch.Generator) -> Instruction | None:
    """Return a random instruction for a scene; None if it would change nothing, or the
    changed object would touch the other one.
    """
    index = pick(range(len(scene.objects)), generator)
    old, kind = scene.objects[index], pick(get_args(EditKind), generator)
    if kind == "recolour":
        new = replace(old, colour=pick(get_args(Colour), generator))
        word = new.colour
    elif kind == "reshape":
        new = replace(old, shape=pick(get_args(Shape), generator))
        word = new.shape
    else:
        word = "small" if old.size == "large" else "large"
        new = _resized(old, DIAMETERS[word][1])
        others = [thing for thing in scene.objects if thing is not old]
        if any(_touch(new, other) for other in others):
            return None
    if new == old:
        return None
    objects = [new if i == index else thing for i, thing in enumerate(scene.objects)]
    return Instruction(scene, Scene(tuple(objects)), f"{old.shape} {word}", kind, index)


def _resized(thing: SceneObject, diameter: int) -> SceneObject:
    """Return an object with another diameter around the same centre, moved into the
    image if necessary.
    """
    left, top = (
        max(0, min(IMAGE_SIZE - diameter, round(middle - diameter / 2)))
        for middle in thing.centre
    )
    return replace(thing, diameter=diameter, left=left, top=top)


def _touch(one: SceneObject, other: SceneObject) -> bool:
    (x, y), (other_x, other_y) = one.centre, other.centre
    apart = max(abs(x - other_x), abs(y - other_y))
    return apart < (one.diameter + other.diameter) / 2 + 1


@dataclass(frozen=True)
class EditScore:
    """The result of one edit.

    Attributes:
        done: The image shows the change.
        kept: Everything else is as it was, and there is no further object.
    """

    done: bool
    kept: bool

    @property
    def both(self) -> bool:
        """The image is as instructed."""
        return self.done and self.kept


def instruction_scores(
    instructions: Sequence[Instruction], images: Float[Tensor, "n 3 height width"]
) -> list[EditScore]:
    """Read each edited image and compare it with its instruction.

    Raises:
        ValueError: If there are not as many instructions as images.

    >>> from genai_tutorial.tasks.shapes import render
    >>> made = random_instructions(5, seed=0)
    >>> instruction_scores(made, render([one.after for one in made]))[0]
    EditScore(done=True, kept=True)
    """
    check_same_length(pictures=images, instructions=instructions)
    return [
        _edit_score(instruction, reading.scene)
        for instruction, reading in zip(instructions, read_scenes(images), strict=True)
    ]


def _edit_score(instruction: Instruction, seen: Scene) -> EditScore:
    wanted = instruction.after.objects
    checks = [list(agreement(thing, nearest(thing, seen))) for thing in wanted]
    column = get_args(EditKind).index(instruction.kind)  # colour, shape, size
    done = checks[instruction.index].pop(column)
    kept = len(seen.objects) == len(wanted) and all(map(all, checks))
    return EditScore(done, kept)


def unchanged_positions(instructions: Sequence[Instruction]) -> Bool[Tensor, "n 1 8 8"]:
    """Return the latent positions that the changed object covers neither before nor
    after: a mask for inpainting.
    """
    side = IMAGE_SIZE // _LATENT
    known = torch.ones(len(instructions), 1, side, side, dtype=torch.bool)
    for mask, instruction in zip(known, instructions, strict=True):
        for scene in (instruction.before, instruction.after):
            thing = scene.objects[instruction.index]
            rows, columns = (
                slice(start // _LATENT, (start + thing.diameter - 1) // _LATENT + 1)
                for start in (thing.top, thing.left)
            )
            mask[:, rows, columns] = False
    return known
