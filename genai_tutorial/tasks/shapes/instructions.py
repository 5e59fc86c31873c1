"""Instructions that change one object of a scene, and whether an edited image shows the
change and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.tasks import check_same_length

from .outlines import agreement, nearest
from .pictures import random_scenes
from .scenes import DIAMETERS, IMAGE_SIZE, Colour, Scene, SceneObject, Shape
from .verifier import read_scenes

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
    draw = partial(_draw, generator)
    found: list[Instruction] = []
    while len(found) < count:
        for scene in random_scenes(count, generator, (1, 2)):
            shapes = [thing.shape for thing in scene.objects]
            if len(set(shapes)) == len(shapes):
                made = _instruct(scene, draw)
                found += [] if made is None else [made]
    return tuple(found[:count])


def _draw(generator: torch.Generator, options: Sequence) -> object:
    return options[int(torch.randint(len(options), (), generator=generator))]


def _instruct(scene: Scene, draw: partial) -> Instruction | None:
    """Return a random instruction for a scene; None if it would change nothing, or the
    changed object would touch the other one.
    """
    index = draw(range(len(scene.objects)))
    old, kind = scene.objects[index], draw(get_args(EditKind))
    if kind == "recolour":
        new = replace(old, colour=draw(get_args(Colour)))
        word = new.colour
    elif kind == "reshape":
        new = replace(old, shape=draw(get_args(Shape)))
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
        _score(instruction, reading.scene)
        for instruction, reading in zip(instructions, read_scenes(images), strict=True)
    ]


def _score(instruction: Instruction, seen: Scene) -> EditScore:
    wanted = instruction.after.objects
    checks = [list(agreement(thing, nearest(thing, seen))) for thing in wanted]
    column = get_args(EditKind).index(instruction.kind)  # colour, shape, size
    done = checks[instruction.index].pop(column)
    kept = len(seen.objects) == len(wanted) and all(map(all, checks))
    return EditScore(done, kept)


def unchanged_positions(
    instructions: Sequence[Instruction],
) -> Bool[Tensor, "n 1 8 8"]:
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
