"""The verifier: reads colours, shapes, sizes and positions from the pixels of a scene,
without a network.

1. The colour of a pixel is the direction in which it differs from the white background,
   which is the same inside an object and at its antialiased edge.
2. Connected pixels of one colour form a patch, and patches are the objects.
3. Each patch is compared with every shape in every size at every nearby position, with
   sharp and with soft edges. The one that differs least is the reading.
"""

from dataclasses import dataclass
from functools import cache
from typing import get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from .scenes import BACKGROUND, COLOURS, IMAGE_SIZE, Scene, SceneObject, Shape, coverage

# the diameters in pixels that a patch is compared with: those of scenes and a margin
_DIAMETERS_TRIED = range(5, 17)
_INK = 0.45  # a pixel with this share of a colour's distance to white is in an object
_FEWEST_PIXELS = 9  # patches with fewer are specks
_REACH = 2  # the largest shift in pixels when a shape is fitted
_TEMPLATE = 24  # width and height of a template
_BATCH = 256


@dataclass(frozen=True)
class Reading:
    """The verifier's analysis of an image.

    Attributes:
        scene: The objects, the largest patch first.
        misfits: For each object, how much its patch differs from the pure shape: the
            sum of squared differences in coverage, divided by the shape's own. It is 0
            for rendered scenes, and above 0.3 a patch resembles no shape.
    """

    scene: Scene
    misfits: tuple[float, ...]


@torch.no_grad()
def read_scenes(images: Float[Tensor, "n 3 height width"]) -> tuple[Reading, ...]:
    """Read images of scenes, hundreds per second.

    Args:
        images: Images of 32×32 pixels, red, green and blue from 0 to 1; slightly larger
            or smaller values are allowed.

    Raises:
        ValueError: If the images have another size.

    >>> from genai_tutorial.tasks.shapes import load_shapes
    >>> shapes = load_shapes(1, seed=0, objects=[1])
    >>> read_scenes(shapes.images)[0].scene == shapes.scenes[0]
    True
    """
    if images.shape[1:] != (3, IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(
            f"Pictures must have the shape (3, {IMAGE_SIZE}, {IMAGE_SIZE}), got "
            f"{tuple(images.shape[1:])}"
        )
    return tuple(
        reading
        for batch in images.split(_BATCH)
        for reading in _read_batch(batch.float().cpu())
    )


def _read_batch(images: Float[Tensor, "n 3 height width"]) -> list[Reading]:
    ink = _ink_of_each_colour(images)
    # Average a pixel with the mean of its neighbourhood, for robustness to noise.
    mean = (ink + functional.avg_pool2d(ink, 3, 1, padding=1)) / 2
    smooth = mean * _lengths()[:, None, None]
    colours = smooth.argmax(dim=1)
    inked = ink.gather(1, colours[:, None])[:, 0] > _INK
    patches = _patches(colours, inked)
    image, patch = _large_patches(patches)
    own = patches[image] == patch[:, None, None]
    # The antialiased edge belongs to the object too, unless another object begins
    # there.
    touched = functional.max_pool2d(own[:, None].float(), 3, 1, padding=1)[:, 0] > 0
    edge = touched & ~inked[image]
    colour = colours.flatten(1)[image, patch]
    covered = ink[image, colour].clamp(0, 1) * (own | edge)
    objects, misfits = _fit_shapes(covered, colour)
    readings = []
    for i in range(len(images)):
        here = (image == i).nonzero().flatten().tolist()
        here.sort(key=lambda k: -int(own[k].sum()))
        scene = Scene(tuple(objects[k] for k in here))
        readings.append(Reading(scene, tuple(misfits[k] for k in here)))
    return readings


@cache
def _lengths() -> Float[Tensor, "colour"]:
    """Return the distance of each colour from white."""
    return _from_white().norm(dim=1)


def _from_white() -> Float[Tensor, "colour 3"]:
    return (torch.tensor(list(COLOURS.values())) - torch.tensor(BACKGROUND)) / 255


def _ink_of_each_colour(
    images: Float[Tensor, "n 3 height width"],
) -> Float[Tensor, "n colour height width"]:
    """Return the amount of each colour that explains a pixel best: 0 for white, 1 for
    the pure colour.
    """
    directions = _from_white() / _lengths()[:, None] ** 2
    return torch.einsum(
        "nchw,kc->nkhw",
        images - torch.tensor(BACKGROUND)[:, None, None] / 255,
        directions,
    )


def _patches(
    colours: Int[Tensor, "n height width"], inked: Bool[Tensor, "n height width"]
) -> Int[Tensor, "n height width"]:
    """Label the connected components of each colour: each pixel gets the largest pixel
    number in its component, and background pixels get -1.
    """
    numbers = torch.arange(IMAGE_SIZE**2, dtype=torch.float32).view(
        IMAGE_SIZE, IMAGE_SIZE
    )
    of_colour = (
        functional.one_hot(colours, len(COLOURS)).permute(0, 3, 1, 2) > 0
    ) & inked[:, None]
    greatest = torch.where(of_colour, numbers, -1.0)
    while True:
        spread = torch.where(
            of_colour, functional.max_pool2d(greatest, 3, 1, padding=1), -1.0
        )
        if torch.equal(spread, greatest):
            return greatest.amax(dim=1).long()
        greatest = spread


def _large_patches(
    patches: Int[Tensor, "n height width"],
) -> tuple[Int[Tensor, "patch"], Int[Tensor, "patch"]]:
    """Return the image and the number of each patch that is not a speck."""
    pixels = IMAGE_SIZE**2
    n = len(patches)
    of_all = (patches + torch.arange(n)[:, None, None] * pixels)[patches >= 0]
    large = (
        (of_all.bincount(minlength=n * pixels) >= _FEWEST_PIXELS).nonzero().flatten()
    )
    return large // pixels, large % pixels


def _fit_shapes(
    covered: Float[Tensor, "patch height width"], colour: Int[Tensor, "patch"]
) -> tuple[list[SceneObject], list[float]]:
    """Find the shape, diameter and position whose coverage differs least from each
    patch's.
    """
    templates, kinds = _templates()
    weight = covered.sum(dim=(1, 2))
    steps = torch.arange(IMAGE_SIZE) + 0.5
    across, down = ((covered.sum(dim=axis) @ steps) / weight for axis in (1, 2))
    corner = torch.stack([down, across], dim=1).round().long() - _TEMPLATE // 2 - _REACH
    margin, width = _TEMPLATE, torch.arange(_TEMPLATE + 2 * _REACH)
    padded = functional.pad(covered, (margin,) * 4)
    rows, columns = ((corner[:, axis, None] + margin + width) for axis in (0, 1))
    around = padded[
        torch.arange(len(covered))[:, None, None], rows[:, :, None], columns[:, None, :]
    ]
    products = functional.conv2d(around[:, None], templates[:, None])
    own = templates.square().sum(dim=(1, 2))
    differences = (
        covered.square().sum(dim=(1, 2))[:, None, None, None]
        - 2 * products
        + own[:, None, None]
    )
    moves = 2 * _REACH + 1
    smallest, best = differences.flatten(1).min(dim=1)
    misfits = (smallest / own[best // moves**2]).clamp(min=0).tolist()
    names, objects = list(COLOURS), []
    for k, (which, (top, left)) in enumerate(
        zip(best.tolist(), corner.tolist(), strict=True)
    ):
        shape, diameter, template_top, template_left = kinds[which // moves**2]
        top += which // moves % moves + template_top
        left += which % moves + template_left
        objects.append(SceneObject(names[colour[k]], shape, left, top, diameter))
    return objects, misfits


@cache
def _templates() -> tuple[
    Float[Tensor, "kind height width"], list[tuple[Shape, int, int, int]]
]:
    """Return every shape in every diameter, with its centre of mass in the middle, and
    the position of its corner.
    """
    templates, kinds = [], []
    for shape in get_args(Shape):
        for diameter in _DIAMETERS_TRIED:
            ink = coverage(shape, diameter).float() / coverage(shape, diameter).max()
            steps = torch.arange(diameter) + 0.5
            down, across = (
                float(ink.sum(dim=axis) @ steps / ink.sum()) for axis in (1, 0)
            )
            top, left = round(_TEMPLATE / 2 - down), round(_TEMPLATE / 2 - across)
            template = torch.zeros(_TEMPLATE, _TEMPLATE)
            template[top : top + diameter, left : left + diameter] = ink
            # Generated shapes may be between pixels or have soft edges, so such
            # templates are included.
            beside = [template, _between_pixels(template, 0)]
            placed = [*beside, *(_between_pixels(variant, 1) for variant in beside)]
            variants = [*placed, *(_softened(variant) for variant in placed)]
            templates += variants
            kinds += [(shape, diameter, top, left)] * len(variants)
    return torch.stack(templates), kinds


def _between_pixels(
    template: Float[Tensor, "height width"], axis: int
) -> Float[Tensor, "height width"]:
    return (template + template.roll(1, dims=axis)) / 2


def _softened(template: Float[Tensor, "height width"]) -> Float[Tensor, "height width"]:
    for axis in (0, 1):
        template = (
            template.roll(-1, dims=axis) + 2 * template + template.roll(1, dims=axis)
        ) / 4
    return template
