"""Players to compare a learned one with: two that press buttons at random, one that
reacts, and one that looks ahead. They see nothing but the frames.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .positions import read_positions
from .world import SIZE, SPEEDS, bounce

_LANDING_ROW = 13  # the ball's upper edge when it is caught or missed
_MIDDLE = 7


class RandomPlayer:
    """Presses random buttons; repeats the last one with the probability `stickiness`.

    A sticky player moves the paddle further, so its steps show more of the world.

    Args:
        seed: Decides the buttons.
        stickiness: The probability of pressing the same button again.

    Raises:
        ValueError: If `stickiness` is not a probability.

    >>> player = RandomPlayer(seed=0)
    >>> player(torch.zeros(4, 16, 16), torch.ones(4, dtype=torch.bool))
    tensor([2, 0, 2, 0])
    """

    def __init__(
        self, seed: int = 0, stickiness: float | int = 0.0, n_actions: int = 3
    ):
        if not 0 <= stickiness <= 1:
            raise ValueError(
                f"stickiness is a probability from 0 to 1, got {stickiness}."
            )
        self.stickiness, self.n_actions = stickiness, n_actions
        self._generator = torch.Generator().manual_seed(seed)
        self._last: Tensor | None = None

    def __call__(
        self, frames: Float[Tensor, "game *frame"], first: Bool[Tensor, "game"]
    ) -> Int[Tensor, "game"]:
        """Return an action for each game; the frames do not matter."""
        games = len(frames)
        actions = torch.randint(self.n_actions, (games,), generator=self._generator)
        if self._last is not None and len(self._last) == games:
            keep = torch.rand(games, generator=self._generator) < self.stickiness
            actions = torch.where(keep, self._last, actions)
        self._last = actions
        return actions


def reflex_player(
    frames: Float[Tensor, "game 16 16"], first: Bool[Tensor, "game"]
) -> Int[Tensor, "game"]:
    """Move the paddle under the ball, wherever it is now.

    A ball that moves by two pixels per step outruns the paddle.
    """
    positions = read_positions(frames)
    return _towards(positions.x, positions.paddle)


class ForesightPlayer:
    """Works out the ball's speed from two frames and moves the paddle to where it will
    land.
    """

    def __init__(self):
        self._x: Tensor | None = None
        self._y: Tensor | None = None

    def __call__(
        self, frames: Float[Tensor, "game 16 16"], first: Bool[Tensor, "game"]
    ) -> Int[Tensor, "game"]:
        """Return an action for each game."""
        now = read_positions(frames)
        target = now.x
        if self._x is not None and len(self._x) == len(frames):
            landing = _landing(self._x, now.x, now.y)
            falling = now.y > self._y
            seen = torch.where(falling, landing, torch.full_like(landing, _MIDDLE))
            target = torch.where(first, now.x, seen)
        self._x, self._y = now.x, now.y
        return _towards(target, now.paddle)


def _towards(target: Tensor, paddle: Tensor) -> Tensor:
    """Return the action that moves the paddle's middle under a ball at `target`."""
    return torch.sign(target - 1 - paddle) + 1


def _landing(before: Tensor, now: Tensor, row: Tensor) -> Tensor:
    """Return the column where a falling ball will land, from its last two columns."""
    x, old = now.cpu().numpy(), before.cpu().numpy()
    speed = np.zeros_like(x)
    for candidate in SPEEDS:  # the speed that leads from one column to the next
        column, after = bounce(old + candidate, np.full_like(x, candidate))
        speed = np.where(column == x, after, speed)
    for step in range(SIZE):
        moves = row.cpu().numpy() + step <= _LANDING_ROW
        column, after = bounce(x + speed, speed)
        x, speed = np.where(moves, column, x), np.where(moves, after, speed)
    return torch.from_numpy(x).to(now.device)
