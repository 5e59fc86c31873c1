"""A colour that captions have no word for: scenes in it, and the colour of an image."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from .scenes import COLOURS, Scene, render

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


def ink_colour(
    images: Float[Tensor, "n 3 height width"],
) -> Float[Tensor, "n 3"]:
    """Return the median colour of the pixels that are at least half as far from white
    as the farthest one; red, green and blue from 0 to 255.
    """
    colours = []
    for image in images:
        distance = (1 - image).norm(dim=0)
        colours.append(image[:, distance >= distance.max() / 2].median(dim=1).values)
    return 255 * torch.stack(colours)
