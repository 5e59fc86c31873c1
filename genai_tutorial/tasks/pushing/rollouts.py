"""Let a policy act in games of the pushing task."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from .games import PushingGames

LIMIT = 48
"""The number of moves in a game."""

PushingPolicy = Callable[[PushingGames], Float[Tensor, "game length 2"]]
"""Looks at games and returns a chunk of moves in pixels for each."""


@dataclass(frozen=True)
class PushingResult:
    """The games after a policy has acted.

    Attributes:
        history: The games before each move, and at the end.
        solved: Whether the instruction was followed.
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
    moves, history = None, [games]
    for time in range(LIMIT):
        if time % every == 0:
            moves = policy(games)
            if moves.shape[1] < every:
                raise ValueError(
                    f"every must be at most the chunk's {moves.shape[1]} moves, got "
                    f"{every}."
                )
        games = games.step(moves[:, time % every])
        history.append(games)
    return _result(history)


def run_moves(
    games: PushingGames, moves: Float[Tensor, "game time 2"]
) -> PushingResult:
    """Execute given moves without looking."""
    history = [games]
    for time in range(moves.shape[1]):
        history.append(history[-1].step(moves[:, time]))
    return _result(history)


def _result(history: list[PushingGames]) -> PushingResult:
    first, last = history[0], history[-1]
    return PushingResult(history, last.solved(first), last.along(first) < -1)
