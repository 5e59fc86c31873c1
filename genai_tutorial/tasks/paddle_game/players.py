"""Players of the paddle game, their score, and the fidelity of dreams of it.

Two players press buttons at random, one reacts, and one looks ahead; they see nothing
but the frames. No model can know how the ball bounces at the top. Frames that no such
bounce has influenced yet are therefore measured separately: every difference there is
an error of the model.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.metrics import Interval, t_interval
from genai_tutorial.worldmodels import DreamComparison, Player

from .world import EPISODE_STEPS, SIZE, SPEEDS, PaddleWorld, bounce, read_positions

_LANDING_ROW = 13  # the ball's upper edge when it is caught or missed
_MIDDLE = 7


class RandomPlayer:
    """Presses random buttons; repeats the last one with the probability `stickiness`.

    A sticky player moves the paddle further, so its steps show more of the world.

    >>> player = RandomPlayer(seed=0)
    >>> player(torch.zeros(4, 16, 16), torch.ones(4, dtype=torch.bool))
    tensor([2, 0, 2, 0])
    """

    def __init__(
        self, seed: int = 0, stickiness: float | int = 0.0, n_actions: int = 3
    ):
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


SCORE_SEED = 1_000_003
"""Seed of the games that are scored, far from the seeds that players learn from."""


@dataclass(frozen=True)
class PaddleScore:
    """The result of one complete episode per game.

    Attributes:
        returns: The sum of the rewards of each episode: the catches, minus 1 for a
            miss.
    """

    catches: Int[Tensor, "game"]
    returns: Float[Tensor, "game"]

    @property
    def mean_catches(self) -> float:
        """The mean number of caught balls per episode."""
        return float(self.catches.double().mean())

    @property
    def mean_return(self) -> float:
        """The mean sum of rewards per episode."""
        return float(self.returns.double().mean())

    @property
    def misses(self) -> Int[Tensor, "game"]:
        """The number of missed balls in each episode: 0 or 1, which ends it."""
        return self.catches - self.returns.long()

    def interval(self, level: float = 0.95) -> Interval:
        """Return a confidence interval of the catches per episode."""
        return t_interval(self.catches.double(), level)


@torch.no_grad()
def score_player(
    player: Player, games: int = 256, seed: int = SCORE_SEED
) -> PaddleScore:
    """Play one episode in each game and count the catches.

    Args:
        player: The player; the score is of the player as it is, without learning.
    """
    world = PaddleWorld(games, seed)
    frames, first = world.frames, torch.ones(games, dtype=torch.bool)
    running = torch.ones(games, dtype=torch.bool)
    catches, returns = torch.zeros(games, dtype=torch.int64), torch.zeros(games)
    for _ in range(EPISODE_STEPS):
        step = world.step(player(frames, first))
        catches += running & (step.rewards > 0)
        returns += running * step.rewards
        running = running & ~step.ended
        if not running.any():
            break
        frames, first = step.frames, step.ended
    return PaddleScore(catches, returns)


@dataclass(frozen=True)
class DreamFidelity:
    """A comparison of dreams with reality, for each dream after each step.

    Attributes:
        exact: True where the dreamed frame equals the real one in every pixel.
        distance: Distance between the dreamed and the real ball in pixels.
        predictable: True where the real frame follows from the frames seen and the
            actions; False once a bounce at the top has decided where the ball goes.
    """

    exact: Bool[Tensor, "step dream"]
    distance: Float[Tensor, "step dream"]
    predictable: Bool[Tensor, "step dream"]

    def share_exact(
        self, where: Bool[Tensor, "step dream"] | None = None
    ) -> Float[Tensor, "step"]:
        """Return the share of exact frames after each step, NaN if there is none.

        Args:
            where: The frames that count, such as `predictable`; None for all.
        """
        return _mean(self.exact.float(), where)

    def mean_distance(
        self, where: Bool[Tensor, "step dream"] | None = None
    ) -> Float[Tensor, "step"]:
        """Return the mean distance of the balls after each step, NaN if none counts."""
        return _mean(self.distance, where)


def dream_fidelity(films: DreamComparison) -> DreamFidelity:
    """Compare dreamed frames with the real ones; pixels above 0.5 count as white."""
    real, dreamed = films.real > 0.5, films.dreamed > 0.5
    where, dreamt = read_positions(films.real), read_positions(films.dreamed)
    distance = torch.hypot((where.x - dreamt.x).float(), (where.y - dreamt.y).float())
    return DreamFidelity(
        (real == dreamed).flatten(start_dim=2).all(dim=2),
        distance,
        ~_chance_has_acted(films),
    )


def _chance_has_acted(films: DreamComparison) -> Bool[Tensor, "step dream"]:
    """Return where a bounce at the top, unseen by the model, has moved the ball."""
    rows = read_positions(torch.cat([films.seen[-2:], films.real])).y
    falls_from_top = (rows[:-1] == 0) & (rows[1:] == 1)
    return falls_from_top[:-1].int().cumsum(dim=0)[: len(films.real)] > 0


def _mean(values: Tensor, where: Tensor | None) -> Tensor:
    if where is None:
        return values.mean(dim=1)
    return (values * where).sum(dim=1) / where.sum(dim=1)
