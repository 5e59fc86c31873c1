"""The score of a player: the number of balls that it catches per episode."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.metrics import Interval, t_interval
from genai_tutorial.worldmodels import Player

from .world import EPISODE_STEPS, PaddleWorld

SCORE_SEED = 1_000_003
"""Seed of the games that are scored, far from the seeds that players learn from."""


@dataclass(frozen=True)
class PaddleScore:
    """The result of one complete episode per game.

    Attributes:
        catches: The number of caught balls in each episode.
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
        seed: Decides the games, so that players can be compared on the same starts.

    >>> from genai_tutorial.tasks.paddle import reflex_player
    >>> score_player(reflex_player, games=64).mean_catches > 1
    True
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
