"""A program that solves the pushing task, and what a policy can learn from it.

It goes round the shape to the side opposite the direction. Where both ways are about as
long, it draws one by chance.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.data import Source
from genai_tutorial.tasks import own_source

from .games import GRIPPER, PUSH, STEPS, PushingGames, draw_games

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
    step = STEPS[games.direction]
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
    finish = centre + (PUSH - radius - GRIPPER)[:, None] * step
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
        chunk: The number of moves.
        frames: The number of frames per episode; the first two are always among them.
        gives_away: See `draw_games`.

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
