"""The pushing task: a gripper, two shapes, and the instruction to push one of them.

First the world, many games at once with their verifier. The gripper starts between the
shapes, so that the image does not give away which one the instruction names. Then a
program that solves it, and the games of a policy. The program goes round the shape to
the side opposite the direction; where both ways are about as long, it draws one by
chance.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.data import Source
from genai_tutorial.tasks import own_source
from genai_tutorial.tasks.shapes import (
    IMAGE_SIZE,
    Colour,
    Scene,
    SceneObject,
    Shape,
    render,
)

_DIRECTIONS = ("to the left", "to the right", "up", "down")
_STEPS = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
_PUSH = 6.0
"""How far the demonstrator pushes, in pixels."""

_GRIPPER = 1.0
"""The radius of the gripper in pixels; it is drawn as a square of 3×3."""

PUSHING_WORDS: tuple[str, ...] = (*get_args(Colour), *get_args(Shape), *_DIRECTIONS)
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
            f"{_DIRECTIONS[direction]}"
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
        hot[game, len(PUSHING_WORDS) - len(_DIRECTIONS) + self.direction] = 1
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
        overlap = (self.diameters[:, :, None] / 2 + _GRIPPER - distance).clamp(min=0)
        places = self.places + away / distance.clamp(min=1e-6) * overlap
        return replace(self, gripper=gripper, places=places)

    def along(self, before: "PushingGames") -> Float[Tensor, "game"]:
        """Return how far the named shape has moved in the direction to push, in
        pixels.
        """
        moved = (self.places - before.places)[torch.arange(len(self)), self.target]
        return (moved * _STEPS[self.direction]).sum(1)

    def solved(self, before: "PushingGames") -> Bool[Tensor, "game"]:
        """Return whether the named shape has moved at least 4 pixels in the direction
        to push and at most 3 across, and the other one less than 1.
        """
        game = torch.arange(len(self))
        moved = self.places - before.places
        mine, other = moved[game, self.target], moved[game, 1 - self.target]
        along = self.along(before)
        across = (mine - along[:, None] * _STEPS[self.direction]).norm(dim=1)
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
        below(len(_DIRECTIONS)),
    )


PUSHING_SOURCE: Source = own_source(
    "Pushing demonstrations",
    "load_demonstrations",
    "images, instructions and moves of a program that pushes shapes",
    "draws and moves",
)

_SPEED = 1.5  # pixels per step
_LONGEST = 40  # steps of a demonstration
_CLEARANCE = 3.0  # pixels from the edge of a shape to the gripper's way round it
_EITHER_WAY = 2 / 3 * math.pi  # from this angle on, the side is drawn
_POINTS = 24  # on the way round


@dataclass(frozen=True)
class PushingExamples:
    """Frames of demonstrations, and the moves that follow.

    Attributes:
        images: Brightness from 0 to 255.
        words: 1 for each word of the instruction, else 0.
        gripper: Its position in pixels.
        chunks: The next moves in pixels; zero after the end.
    """

    images: Tensor
    words: Float[Tensor, "frame word"]
    gripper: Float[Tensor, "frame 2"]
    chunks: Float[Tensor, "frame length 2"]


def pushing_moves(
    games: PushingGames, generator: torch.Generator
) -> tuple[Float[Tensor, "game 40 2"], Int[Tensor, "game"]]:
    """Return the program's moves in pixels, and how many there are; later ones are
    zero.
    """
    game = torch.arange(len(games))
    centre = games.places[game, games.target]
    radius = games.diameters[game, games.target] / 2
    step = _STEPS[games.direction]
    offset = games.gripper - centre
    start = torch.atan2(offset[:, 1], offset[:, 0])
    end = torch.atan2(-step[:, 1], -step[:, 0])
    turn = (end - start + math.pi) % (2 * math.pi) - math.pi  # the shorter way
    drawn = torch.rand(len(games), generator=generator) < 0.5
    longer = drawn & (turn.abs() > _EITHER_WAY)
    turn = torch.where(longer, turn - 2 * math.pi * turn.sign(), turn)
    share = torch.linspace(0, 1, _POINTS + 1)
    angle = start[:, None] + turn[:, None] * share
    ring = torch.stack([angle.cos(), angle.sin()], dim=2)
    ring = centre[:, None] + (radius + _CLEARANCE)[:, None, None] * ring
    finish = centre + (_PUSH - radius - _GRIPPER)[:, None] * step
    return _at_constant_speed(
        torch.cat([games.gripper[:, None], ring, finish[:, None]], dim=1)
    )


def _at_constant_speed(
    way: Float[Tensor, "game point 2"],
) -> tuple[Float[Tensor, "game 40 2"], Int[Tensor, "game"]]:
    """Cut a way into moves of equal length, the last of which may be shorter."""
    lengths = (way[:, 1:] - way[:, :-1]).norm(dim=2)
    reached = torch.cat([torch.zeros(len(way), 1), lengths.cumsum(1)], dim=1)
    whole = reached[:, -1:]
    at = torch.minimum(
        _SPEED * torch.arange(_LONGEST + 1.0).expand(len(way), -1), whole
    )
    piece = torch.searchsorted(reached, at.contiguous(), right=True) - 1
    piece = piece.clamp(max=lengths.shape[1] - 1)
    share = (at - reached.gather(1, piece)) / lengths.gather(1, piece).clamp(min=1e-6)
    first, last = (
        way.gather(1, (piece + k)[:, :, None].expand(-1, -1, 2)) for k in (0, 1)
    )
    points = first + share[:, :, None] * (last - first)
    count = (whole[:, 0] / _SPEED).ceil().long()
    return points[:, 1:] - points[:, :-1], count


def load_demonstrations(
    episodes: int,
    seed: int,
    chunk: int = 16,
    frames: int = 12,
    *,
    gives_away: bool = False,
) -> PushingExamples:
    """Return random frames of demonstrations, each with the moves that follow.

    Args:
        frames: The number of frames per episode; the first two are always among them.

    Raises:
        ValueError: If a number is below 1.

    >>> load_demonstrations(2, seed=0, frames=3).chunks.shape
    torch.Size([6, 16, 2])
    """
    if min(episodes, chunk, frames) < 1:
        raise ValueError(
            "episodes, chunk and frames must be at least 1, got "
            f"{episodes}, {chunk} and {frames}."
        )
    generator = torch.Generator().manual_seed(seed)
    games = draw_games(episodes, generator, gives_away=gives_away)
    moves, counts = pushing_moves(games, generator)
    padded = torch.cat([moves, torch.zeros(episodes, chunk, 2)], dim=1)
    chosen = torch.rand(episodes, moves.shape[1], generator=generator)
    chosen[:, :2] = 2.0  # the first frames
    chosen[torch.arange(moves.shape[1]) >= counts[:, None]] = -1.0
    kept = torch.zeros_like(chosen, dtype=torch.bool)
    kept.scatter_(1, chosen.topk(frames, dim=1).indices, True)
    kept &= chosen >= 0
    parts: list[list[Tensor]] = [[], [], [], []]
    for time in range(int(counts.max())):
        here = kept[:, time]
        if here.any():
            now = games[here]
            frame = (255 * now.images()).round().byte()
            later = padded[here, time : time + chunk]
            for part, new in zip(
                parts, (frame, now.words(), now.gripper, later), strict=True
            ):
                part.append(new)
        games = games.step(padded[:, time])
    return PushingExamples(*map(torch.cat, parts))


_LIMIT = 48
"""The number of moves in a game."""

PushingPolicy = Callable[[PushingGames], Float[Tensor, "game length 2"]]
"""Looks at games and returns a chunk of moves in pixels for each."""


@dataclass(frozen=True)
class PushingResult:
    """The games after a policy has acted.

    Attributes:
        history: The games before each move, and at the end.
        wrong_way: Whether the named shape was pushed more than 1 pixel backwards.
    """

    history: list[PushingGames]
    solved: Bool[Tensor, "game"]
    wrong_way: Bool[Tensor, "game"]


def play(policy: PushingPolicy, games: PushingGames, every: int) -> PushingResult:
    """Let a policy act for 48 moves.

    Args:
        every: The number of moves of a chunk that are executed before the policy looks
            again; 1 closes the loop, the chunk's length leaves it open.

    Raises:
        ValueError: If `every` is below 1 or a chunk has fewer moves.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}.")
    first, moves, history = games, None, [games]
    for time in range(_LIMIT):
        if time % every == 0:
            moves = policy(games)
            if moves.shape[1] < every:
                raise ValueError(
                    f"every must be at most the chunk's {moves.shape[1]} moves, got "
                    f"{every}."
                )
        games = games.step(moves[:, time % every])
        history.append(games)
    return PushingResult(history, games.solved(first), games.along(first) < -1)
