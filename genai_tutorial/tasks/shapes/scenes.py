"""Scenes: one to three coloured shapes on white, their relations, and how they are
rendered, also in a colour that captions have no word for.

All computations use integers, so that a scene has the same pixels on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.tasks import check_choice

Colour = Literal["red", "orange", "yellow", "green", "blue", "purple"]
Shape = Literal["circle", "square", "triangle", "cross"]
Size = Literal["small", "large"]
SpatialRelation = Literal["above", "below", "left of", "right of"]
Place = Literal[
    "in the middle", "at the top", "at the bottom", "on the left", "on the right"
]

IMAGE_SIZE = 32
"""Height and width of an image in pixels."""

BACKGROUND = (255, 255, 255)  # red, green and blue, from 0 to 255

COLOURS: dict[Colour, tuple[int, int, int]] = {
    "red": (220, 20, 40),
    "orange": (255, 130, 0),
    "yellow": (255, 220, 0),
    "green": (30, 150, 60),
    "blue": (30, 80, 220),
    "purple": (150, 50, 190),
}

DIAMETERS: dict[Size, tuple[int, ...]] = {"small": (7, 8, 9), "large": (12, 13, 14)}
"""The possible diameters of each size in pixels."""

OPPOSITE: dict[SpatialRelation, SpatialRelation] = {
    "above": "below",
    "below": "above",
    "left of": "right of",
    "right of": "left of",
}
"""If the first is above the second, the second is below the first."""

_CANVAS_MARGIN = max(DIAMETERS["large"])
# a pixel is sampled at 8 × 8 points, so that its coverage is one of 65 numbers
_SAMPLES = 8


@dataclass(frozen=True)
class SceneObject:
    """A coloured shape, positioned by its bounding square.

    Attributes:
        shape: A circle, a square, a triangle with its tip up, or an upright cross.
        diameter: Width and height in pixels.

    Raises:
        ValueError: If the colour or the shape is unknown.
    """

    colour: Colour
    shape: Shape
    left: int
    top: int
    diameter: int

    def __post_init__(self):
        check_choice("colour", self.colour, Colour)
        check_choice("shape", self.shape, Shape)

    @property
    def size(self) -> Size:
        """Small or large; `random_scenes` draws no object near the boundary."""
        between = (DIAMETERS["small"][-1] + DIAMETERS["large"][0]) // 2
        return "small" if self.diameter <= between else "large"

    @property
    def centre(self) -> tuple[float, float]:
        """The centre, in pixels from the left and from the top."""
        return self.left + self.diameter / 2, self.top + self.diameter / 2


@dataclass(frozen=True)
class Scene:
    """The objects of an image.

    Attributes:
        objects: The relations in a caption start from the first.
    """

    objects: tuple[SceneObject, ...]


def relation(first: SceneObject, second: SceneObject) -> SpatialRelation:
    """Return the relation of the first object to the second: the direction in which
    their centres are further apart.

    >>> upper = SceneObject("red", "circle", left=5, top=1, diameter=8)
    >>> relation(upper, SceneObject("blue", "square", left=8, top=16, diameter=14))
    'above'
    """
    (first_x, first_y), (second_x, second_y) = first.centre, second.centre
    right, down = second_x - first_x, second_y - first_y
    if abs(down) > abs(right):
        return "above" if down > 0 else "below"
    return "left of" if right > 0 else "right of"


def place(thing: SceneObject) -> Place:
    """Return the position of an object in the image: the direction of its largest
    distance from the middle, or the middle itself.

    >>> place(SceneObject("red", "circle", left=12, top=1, diameter=8))
    'at the top'
    """
    right, down = (coordinate - IMAGE_SIZE / 2 for coordinate in thing.centre)
    if max(abs(right), abs(down)) < 4:
        return "in the middle"
    if abs(down) > abs(right):
        return "at the bottom" if down > 0 else "at the top"
    return "on the right" if right > 0 else "on the left"


@cache
def coverage(shape: Shape, diameter: int) -> Int[Tensor, "diameter diameter"]:
    """Return the covered part of each pixel in 64ths, for antialiased edges."""
    # In sixteenths of a pixel: samples are at odd numbers, and edges at integers.
    steps = torch.arange(1, 2 * _SAMPLES * diameter, 2)
    down, right = steps[:, None], steps[None, :]
    radius = _SAMPLES * diameter
    from_middle = (right - radius).abs(), (down - radius).abs()
    inside = {
        "circle": from_middle[0] ** 2 + from_middle[1] ** 2 <= radius**2,
        "square": torch.ones(len(steps), len(steps), dtype=torch.bool),
        "triangle": 2 * from_middle[0] <= down,
        "cross": (3 * from_middle[0] <= radius) | (3 * from_middle[1] <= radius),
    }[shape]
    return inside.view(diameter, _SAMPLES, diameter, _SAMPLES).sum(dim=(1, 3))


def render(scenes: Sequence[Scene]) -> Float[Tensor, "n 3 height width"]:
    """Draw scenes, thousands per second.

    Returns:
        Images of 32×32 pixels, with red, green and blue from 0 to 1, each a multiple of
        1/255. Later objects hide earlier ones.

    Raises:
        ValueError: If an object does not lie inside the image, or has a diameter that
            no scene uses.

    """
    _check(scenes)
    sprites, number = _sprites()
    canvas = torch.tensor(BACKGROUND)[:, None, None].repeat(
        len(scenes), 1, *(IMAGE_SIZE + _CANVAS_MARGIN,) * 2
    )
    offsets = torch.arange(_CANVAS_MARGIN)
    for depth in range(max((len(scene.objects) for scene in scenes), default=0)):
        rows = [row for row, scene in enumerate(scenes) if len(scene.objects) > depth]
        objects = [scenes[row].objects[depth] for row in rows]
        covered = sprites[
            torch.tensor([number[thing.shape, thing.diameter] for thing in objects])
        ][:, None]
        ink = torch.tensor([COLOURS[thing.colour] for thing in objects])
        ink = ink[:, :, None, None]
        top, left = (
            torch.tensor([getattr(thing, side) for thing in objects])[:, None] + offsets
            for side in ("top", "left")
        )
        where = (
            torch.tensor(rows)[:, None, None, None],
            torch.arange(3)[:, None, None],
            top[:, None, :, None],
            left[:, None, None, :],
        )
        canvas[where] = (
            canvas[where] * (_SAMPLES**2 - covered) + ink * covered + _SAMPLES**2 // 2
        ) // _SAMPLES**2
    return canvas[:, :, :IMAGE_SIZE, :IMAGE_SIZE].float() / 255


@cache
def _sprites() -> tuple[
    Int[Tensor, "sprite height width"], dict[tuple[Shape, int], int]
]:
    """Return the coverage of each shape and diameter in a square of the same size, and
    its number.
    """
    kinds = [
        (shape, diameter)
        for shape in get_args(Shape)
        for size in DIAMETERS.values()
        for diameter in size
    ]
    sprites = torch.zeros(len(kinds), _CANVAS_MARGIN, _CANVAS_MARGIN, dtype=torch.int64)
    for sprite, (shape, diameter) in zip(sprites, kinds, strict=True):
        sprite[:diameter, :diameter] = coverage(shape, diameter)
    return sprites, {kind: index for index, kind in enumerate(kinds)}


def _check(scenes: Sequence[Scene]) -> None:
    known = [diameter for size in DIAMETERS.values() for diameter in size]
    for scene in scenes:
        for thing in scene.objects:
            if thing.diameter not in known:
                raise ValueError(f"diameter must be one of {known}, got {thing}")
            last = IMAGE_SIZE - thing.diameter
            if not (0 <= thing.left <= last and 0 <= thing.top <= last):
                raise ValueError(
                    "An object must lie inside the picture of "
                    f"{IMAGE_SIZE}×{IMAGE_SIZE}, got {thing}"
                )


PINK = (255, 130, 190)
"""Red, green and blue of a colour that no scene has, from 0 to 255."""


def render_in(
    scenes: Sequence[Scene], colour: tuple[int, int, int]
) -> Float[Tensor, "n 3 height width"]:
    """Render scenes with every object in one colour.

    >>> from .pictures import load_shapes
    >>> image = render_in(load_shapes(1, seed=0).scenes, PINK)
    >>> (255 * image[0]).amin(dim=(1, 2))
    tensor([255., 130., 190.])
    """
    red = [
        Scene(tuple(replace(thing, colour="red") for thing in scene.objects))
        for scene in scenes
    ]
    green = render(red)[:, 1:2]
    covered = (1 - green) / (1 - COLOURS["red"][1] / 255)
    distance = 1 - torch.tensor(colour)[:, None, None] / 255
    return 1 - covered * distance


def ink_colour(images: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n 3"]:
    """Return the median colour of the pixels that are at least half as far from white
    as the farthest one; red, green and blue from 0 to 255.
    """
    colours = []
    for image in images:
        distance = (1 - image).norm(dim=0)
        colours.append(image[:, distance >= distance.max() / 2].median(dim=1).values)
    return 255 * torch.stack(colours)
