"""The interface of a world: many games at once, with frames and buttons.

Real worlds and dreams share it, so that every player can play in both.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class WorldStep:
    """The result of one action in each game of a world.

    A game that ends starts again within the same step (gymnasium's autoreset mode
    SAME_STEP), so `frames` then belongs to the next episode and `last_frames` to the
    one that ended (gymnasium's `final_obs`).

    Attributes:
        frames: The frames to act on next, brightness from 0 to 1.
        ended: True where the episode is over.
        terminated: True where the world ended it, so that no reward could follow; False
            where the episode was cut off because of its length.
        last_frames: The frames that the actions led to, before any game started again.
    """

    frames: Float[Tensor, "game *frame"]
    rewards: Float[Tensor, "game"]
    ended: Bool[Tensor, "game"]
    terminated: Bool[Tensor, "game"]
    last_frames: Float[Tensor, "game *frame"]


@runtime_checkable
class World(Protocol):
    """Many games that are played side by side.

    Attributes:
        n_actions: The number of buttons; actions are 0 to n_actions - 1.
    """

    games: int
    n_actions: int

    @property
    def frames(self) -> Float[Tensor, "game *frame"]:
        """The current frame of each game."""

    def step(self, actions: Int[Tensor, "game"]) -> WorldStep:
        """Press one button in each game."""


@runtime_checkable
class Player(Protocol):
    """Chooses the buttons from the frames; it may remember earlier ones."""

    def __call__(
        self, frames: Float[Tensor, "game *frame"], first: Bool[Tensor, "game"]
    ) -> Int[Tensor, "game"]:
        """Return an action for each game.

        Args:
            first: True for the first frame of an episode, so that earlier frames no
                longer count.
        """
