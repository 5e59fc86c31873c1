"""The world of the pushing task: many games at once.

The gripper starts between the two shapes, so that the image does not give away which
one the instruction names.
"""

import math
from dataclasses import dataclass, replace
from typing import get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.tasks.shapes import (
    IMAGE_SIZE,
    Colour,
    Scene,
    SceneObject,
    Shape,
    render,
)

DIRECTIONS = ("to the left", "to the right", "up", "down")
STEPS = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
PUSH = 6.0
"""How far the demonstrator pushes, in pixels."""

GRIPPER = 1.0
"""The radius of the gripper in pixels; it is drawn as a square of 3×3."""

PUSHING_WORDS: tuple[str, ...] = (*get_args(Colour), *get_args(Shape), *DIRECTIONS)
"""The words that instructions are made of."""

_FASTEST = 2.0  # pixels per step


@dataclass(frozen=True)
class PushingGames:
    """Games with two shapes and an instruction each. Lengths are in pixels from the
    left and from the top.

    Attributes:
        places: The centres of the shapes.
        diameters: 7, 8 or 9.
        colours: The number of the colour of each shape.
        shapes: The number of its kind.
        gripper: The centre of the gripper.
        target: Which shape the instruction names, 0 or 1.
        direction: The direction to push it in: left, right, up or down.
    """

    places: Float[Tensor, "game 2 2"]
    diameters: Int[Tensor, "game 2"]
    colours: Int[Tensor, "game 2"]
    shapes: Int[Tensor, "game 2"]
    gripper: Float[Tensor, "game 2"]
    target: Int[Tensor, "game"]
    direction: Int[Tensor, "game"]

    def __len__(self) -> int:
        return len(self.gripper)

    def __getitem__(self, rows: slice | Tensor) -> "PushingGames":
        return PushingGames(*(part[rows] for part in vars(self).values()))

    @property
    def instructions(self) -> list[str]:
        """The instructions as sentences."""
        game = torch.arange(len(self))
        return [
            f"push the {get_args(Colour)[colour]} {get_args(Shape)[shape]} "
            f"{DIRECTIONS[direction]}"
            for colour, shape, direction in zip(
                self.colours[game, self.target].tolist(),
                self.shapes[game, self.target].tolist(),
                self.direction.tolist(),
                strict=True,
            )
        ]

    def words(self) -> Float[Tensor, "game word"]:
        """Return 1 for each word of the instruction, else 0."""
        game, n_colours = torch.arange(len(self)), len(get_args(Colour))
        hot = torch.zeros(len(self), len(PUSHING_WORDS))
        hot[game, self.colours[game, self.target]] = 1
        hot[game, n_colours + self.shapes[game, self.target]] = 1
        hot[game, len(PUSHING_WORDS) - len(DIRECTIONS) + self.direction] = 1
        return hot

    def told_other(self) -> "PushingGames":
        """Return the same games, with the other shape in the instruction."""
        return replace(self, target=1 - self.target)

    def images(self) -> Float[Tensor, "game 3 32 32"]:
        """Draw the games; red, green and blue from 0 to 1."""
        corners = (self.places - self.diameters[:, :, None] / 2).round().int()
        last = IMAGE_SIZE - self.diameters[:, :, None]
        corners = torch.minimum(corners.clamp(min=0), last).tolist()
        kinds = torch.stack([self.colours, self.shapes, self.diameters], 2).tolist()
        scenes = [
            Scene(
                tuple(
                    SceneObject(
                        get_args(Colour)[colour], get_args(Shape)[shape], *corner, size
                    )
                    for (colour, shape, size), corner in zip(*pair, strict=True)
                )
            )
            for pair in zip(kinds, corners, strict=True)
        ]
        images = render(scenes)
        left, top = (self.gripper - 1).round().long().clamp(0, IMAGE_SIZE - 3).unbind(1)
        three, game = torch.arange(3), torch.arange(len(self))[:, None, None]
        rows, columns = top[:, None, None] + three[:, None], left[:, None, None] + three
        images[game, :, rows, columns] = 0.0
        return images

    def step(self, moves: Float[Tensor, "game 2"]) -> "PushingGames":
        """Move each gripper, at most 2 pixels; it pushes what it meets."""
        length = moves.norm(dim=1, keepdim=True)
        moves = moves * (_FASTEST / length.clamp(min=1e-6)).clamp(max=1)
        gripper = (self.gripper + moves).clamp(0, IMAGE_SIZE)
        away = self.places - gripper[:, None]
        distance = away.norm(dim=2, keepdim=True)
        overlap = (self.diameters[:, :, None] / 2 + GRIPPER - distance).clamp(min=0)
        places = self.places + away / distance.clamp(min=1e-6) * overlap
        return replace(self, gripper=gripper, places=places)

    def along(self, before: "PushingGames") -> Float[Tensor, "game"]:
        """Return how far the named shape has moved in the direction to push, in
        pixels.
        """
        moved = (self.places - before.places)[torch.arange(len(self)), self.target]
        return (moved * STEPS[self.direction]).sum(1)

    def solved(self, before: "PushingGames") -> Bool[Tensor, "game"]:
        """Return whether the named shape has moved at least 4 pixels in the direction
        to push and at most 3 across, and the other one less than 1.
        """
        game = torch.arange(len(self))
        moved = self.places - before.places
        mine, other = moved[game, self.target], moved[game, 1 - self.target]
        along = self.along(before)
        across = (mine - along[:, None] * STEPS[self.direction]).norm(dim=1)
        return (along >= 4) & (across <= 3) & (other.norm(dim=1) < 1)


def draw_games(
    count: int, generator: torch.Generator, *, gives_away: bool = False
) -> PushingGames:
    """Draw games with two shapes that differ in colour or kind. Both can be pushed in
    all directions.

    Args:
        gives_away: If true, the gripper starts beside the named shape and not between
            the two, so that an image shows which one to push.

    Raises:
        ValueError: If `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}.")
    kept: list[PushingGames] = []
    while sum(map(len, kept)) < count:
        games = _draw(16 * count, generator)
        apart = (games.places[:, 0] - games.places[:, 1]).norm(dim=1)
        same = (games.colours[:, 0] == games.colours[:, 1]) & (
            games.shapes[:, 0] == games.shapes[:, 1]
        )
        kept.append(games[(apart >= 15) & ~same])
    parts = zip(*(vars(games).values() for games in kept), strict=True)
    games = PushingGames(*(torch.cat(part)[:count] for part in parts))
    return _beside_target(games, generator) if gives_away else games


def _beside_target(games: PushingGames, generator: torch.Generator) -> PushingGames:
    game = torch.arange(len(games))
    angle = 2 * math.pi * torch.rand(len(games), generator=generator)
    away = torch.stack([angle.cos(), angle.sin()], dim=1)
    distance = games.diameters[game, games.target] / 2 + 3
    start = games.places[game, games.target] + distance[:, None] * away
    return replace(games, gripper=start)


def _draw(count: int, generator: torch.Generator) -> PushingGames:
    def below(n: int, *shape: int) -> Tensor:
        return torch.randint(n, (count, *shape), generator=generator)

    places = 9 + 14 * torch.rand(count, 2, 2, generator=generator)
    jitter = 2 * torch.rand(count, 2, generator=generator) - 1
    return PushingGames(
        places,
        7 + below(3, 2),
        below(len(get_args(Colour)), 2),
        below(len(get_args(Shape)), 2),
        places.mean(dim=1) + jitter,
        below(2),
        below(len(DIRECTIONS)),
    )
