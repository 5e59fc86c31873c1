"""A world small enough for a table, and the values of its buttons."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .model import draw

PLACES = 5
LEFT_BUTTON, RIGHT_BUTTON = range(2)


@dataclass(frozen=True)
class TableWorld:
    """A world with few places and buttons, written down completely.

    Attributes:
        transitions: The probability of each next state.
        rewards: The mean reward of each such step.
        ends: The states at which an episode ends, 1 for yes.
    """

    transitions: Float[Tensor, "state action next_state"]
    rewards: Float[Tensor, "state action next_state"]
    ends: Float[Tensor, "state"]

    def step(
        self,
        states: Int[Tensor, "game"],
        actions: Int[Tensor, "game"],
        generator: torch.Generator | None = None,
    ) -> tuple[Int[Tensor, "game"], Float[Tensor, "game"], Float[Tensor, "game"]]:
        """Draw each game's next state; return the states, the rewards, and 1 where the
        episode continues.
        """
        chances = self.transitions[states, actions]
        places = draw(chances, generator)[:, 0]
        return places, self.rewards[states, actions, places], 1 - self.ends[places]


def five_places(slip: float | int = 0.2) -> TableWorld:
    """Return a world of five places in a row. The buttons lead to the left and to the
    right; reaching the right end is a reward of 1 and the end of the episode.

    Args:
        slip: The probability that a press does nothing.

    Raises:
        ValueError: If `slip` is not from 0 to below 1.

    >>> five_places(slip=0.2).transitions[1, RIGHT_BUTTON]
    tensor([0.0000, 0.2000, 0.8000, 0.0000, 0.0000])
    """
    if not 0 <= slip < 1:
        raise ValueError(f"slip must be from 0 to below 1, got {slip}.")
    transitions = torch.zeros(PLACES, 2, PLACES)
    for place in range(PLACES):
        for button, move in ((LEFT_BUTTON, -1), (RIGHT_BUTTON, 1)):
            there = min(max(place + move, 0), PLACES - 1)
            transitions[place, button, there] += 1 - slip
            transitions[place, button, place] += slip
    rewards = torch.zeros(PLACES, 2, PLACES)
    rewards[:-1, :, -1] = 1.0
    ends = torch.zeros(PLACES)
    ends[-1] = 1.0
    return TableWorld(transitions, rewards, ends)


def action_values(
    world: TableWorld, discount: float | int = 0.9
) -> Float[Tensor, "state action"]:
    r"""Return the value of each button in each state, if the best ones follow (value
    iteration).

    $$Q(s, a) = \sum_{s'} p(s' \mid s, a) \left(r(s, a, s') + \gamma c(s') \max_{a'}
    Q(s', a')\right)$$

    Raises:
        ValueError: If the discount is not from 0 to 1.

    Source: Sutton and Barto, Reinforcement Learning: An Introduction, equation 4.2 and
        section 4.4, http://incompleteideas.net/book/the-book-2nd.html

    >>> action_values(five_places(slip=0), discount=0.5)[:4, RIGHT_BUTTON]
    tensor([0.1250, 0.2500, 0.5000, 1.0000])
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"discount must be from 0 to 1, got {discount}.")
    values = torch.zeros_like(world.rewards[..., 0])
    for _ in range(200):
        later = discount * (1 - world.ends) * values.amax(dim=1)
        values = (world.transitions * (world.rewards + later)).sum(dim=-1)
    return values
