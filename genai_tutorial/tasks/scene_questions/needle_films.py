"""A needle in a film: a shape that only one frame shows, and a question about it."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.tasks.shapes import Scene, Shape, random_scenes, render

from .questions import Question


class NeedleFilms(NamedTuple):
    """Films with a question each.

    Attributes:
        needles: The number of the frame with the needle, from 0.
        questions: The question for the colour of the shape that only this frame has.
    """

    films: Float[Tensor, "film frame 3 height width"]
    scenes: tuple[tuple[Scene, ...], ...]
    needles: Int[Tensor, "film"]
    questions: tuple[Question, ...]


def load_needle_films(n: int, frames: int, seed: int) -> NeedleFilms:
    """Draw films of independent scenes of one or two objects.

    Args:
        seed: Seed of scenes and needles.

    Raises:
        ValueError: If a number is below 1.

    >>> loaded = load_needle_films(2, frames=4, seed=0)
    >>> loaded.films.shape, loaded.questions[0].text
    (torch.Size([2, 4, 3, 32, 32]), 'what colour is the square ?')
    """
    if n < 1 or frames < 1:
        raise ValueError(f"n and frames must be at least 1, got {n} and {frames}.")
    generator = torch.Generator().manual_seed(seed)
    needles = torch.randint(frames, (n,), generator=generator)
    hidden = random_scenes(n, generator, objects=[1])
    scenes = []
    for (thing,), needle in zip(
        (scene.objects for scene in hidden), needles.tolist(), strict=True
    ):
        row = _scenes_without(thing.shape, frames, generator)
        row[needle] = Scene((thing,))
        scenes.append(tuple(row))
    pictures = render([scene for row in scenes for scene in row])
    return NeedleFilms(
        pictures.unflatten(0, (n, frames)),
        tuple(scenes),
        needles,
        tuple(
            Question(
                "colour", f"what colour is the {thing.shape} ?", thing.colour, (thing,)
            )
            for (thing,) in (scene.objects for scene in hidden)
        ),
    )


def _scenes_without(
    shape: Shape, count: int, generator: torch.Generator
) -> list[Scene]:
    """Draw scenes that do not contain a shape."""
    found: list[Scene] = []
    while len(found) < count:
        found += [
            scene
            for scene in random_scenes(4 * count, generator, objects=[1, 2])
            if shape not in {thing.shape for thing in scene.objects}
        ]
    return found[:count]
