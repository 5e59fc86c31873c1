"""Planning by the cross-entropy method: imagine many plans, keep the best, and draw the
next ones like them. No policy is learned.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from .dream import DreamPolicy, DreamState, dream_step
from .model import WorldModel, draw

States = DreamState | Tensor
DreamStep = Callable[[States, Tensor], tuple[States, Tensor, Tensor]]
"""Called as `step(states, actions)`; returns the next states, the rewards, and the
probability that each episode continues. The states come from dreams, or are a tensor
with one row per game.
"""


HORIZON = 14  # steps of a plan
CANDIDATES = 40  # plans that are drawn per round
ELITES = 5  # the best of them, to which the next ones are fitted
ROUNDS = 2
DISCOUNT = 0.97  # of a reward per step
SMOOTHING = 0.1  # uniform share: no action is ruled out after one round


def imagined_returns(
    step: DreamStep, states: States, plans: Int[Tensor, "plan step"]
) -> Float[Tensor, "plan"]:
    """Carry out each plan in a dream and return the discounted sum of its rewards."""
    returns = torch.zeros(len(plans), device=plans.device)
    weight = torch.ones_like(returns)
    for actions in plans.T:
        states, rewards, continues = step(states, actions)
        returns = returns + weight * rewards
        weight = DISCOUNT * weight * continues
    return returns


@torch.no_grad()
def cross_entropy_search(
    step: DreamStep,
    states: States,
    n_actions: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "game step action"]:
    """Return for each game and each step of its plan the probability of each action,
    fitted to the elites of the last round.

    Args:
        states: The present state of each game.
        generator: The source of the candidates; None for torch's global one.

    Source: Rubinstein, The Cross-Entropy Method for Combinatorial and Continuous
        Optimization (1999); in a learned world: Hafner et al., Learning Latent
        Dynamics for Planning from Pixels, algorithm 2, https://arxiv.org/abs/1811.04551
    """
    games = len(states)
    device = (states.memory if isinstance(states, DreamState) else states).device
    chances = torch.full((games, HORIZON, n_actions), 1 / n_actions, device=device)
    repeated = states[torch.arange(games).repeat_interleave(CANDIDATES)]
    for _ in range(ROUNDS):
        rows = chances[:, None].expand(-1, CANDIDATES, -1, -1).reshape(-1, n_actions)
        plans = draw(rows, generator).view(-1, HORIZON)
        returns = imagined_returns(step, repeated, plans)
        elites = returns.view(games, CANDIDATES).topk(ELITES, dim=1).indices
        chosen = plans.view(games, CANDIDATES, HORIZON)[
            torch.arange(games)[:, None], elites
        ]
        shares = functional.one_hot(chosen, n_actions).float().mean(dim=1)
        chances = (1 - SMOOTHING) * shares + SMOOTHING / n_actions
    return chances


def cross_entropy_plan(
    step: DreamStep,
    states: States,
    n_actions: int,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "game"]:
    """Plan, and return the most probable first action of each game; the rest of the
    plan is thrown away, because the next frame allows a better one (model-predictive
    control). See `cross_entropy_search`.
    """
    chances = cross_entropy_search(step, states, n_actions, generator)
    return chances[:, 0].argmax(dim=-1)


def planning_policy(
    model: WorldModel, generator: torch.Generator | None = None
) -> DreamPolicy:
    """Return a policy that makes a new plan at each frame, in the model's dreams."""
    step = partial(dream_step, model, generator=generator)
    config = model.config

    def policy(features: Float[Tensor, "game features"]) -> Int[Tensor, "game"]:
        state = DreamState(*features.split([config.memory, config.units], dim=1))
        return cross_entropy_plan(step, state, config.actions, generator)

    return policy
