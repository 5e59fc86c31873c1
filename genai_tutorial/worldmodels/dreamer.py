"""A world model together with the player that learns in its dreams."""

from torch import nn

from .actor_critic import ActorCritic
from .dream import ModelPlayer
from .dynamics import WorldModel, WorldModelConfig


class Dreamer(nn.Module):
    """A world model and the player that learned in its dreams.

    Args:
        config: The sizes of the world model.
        seed: Seed of the initial weights.
    """

    def __init__(self, config: WorldModelConfig, seed: int):
        super().__init__()
        self.world = WorldModel(config, seed)
        self.agent = ActorCritic(
            config.memory + config.units, config.actions, seed=seed
        )

    def player(self) -> ModelPlayer:
        """Return the player, which takes the most likely actions."""
        return ModelPlayer(self.world, self.agent.greedy)
