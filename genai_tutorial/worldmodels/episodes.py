"""The returns of a player's episodes, in any world."""

import torch
from jaxtyping import Float
from torch import Tensor

from .world import Player, World


@torch.no_grad()
def episode_returns(
    world: World, player: Player, longest: int
) -> Float[Tensor, "game"]:
    """Play one episode in each game; return the sums of its rewards.

    Every game counts once, however long its episode is. Averaging over the episodes
    that end within a fixed number of steps would favour short ones.

    Args:
        world: The games, each at the beginning of an episode.
        longest: The number of steps after which an episode no longer counts.

    Raises:
        ValueError: If there is not at least one step.
    """
    if longest < 1:
        raise ValueError(f"There must be at least one step, got {longest}.")
    frames, first = world.frames, torch.ones(world.games, dtype=torch.bool)
    running, returns = first, torch.zeros(world.games)
    for _ in range(longest):
        step = world.step(player(frames, first))
        returns = returns + running * step.rewards
        running = running & ~step.ended
        if not running.any():
            break
        frames, first = step.frames, step.ended
    return returns
