"""Planning by the cross-entropy method: imagine many plans, keep the best, and draw the
next ones like them. No policy is learned.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from .dream import DreamState, Policy, dream_step
from .dynamics import WorldModel
from .representation import draw

States = DreamState | Tensor
DreamStep = Callable[[States, Tensor], tuple[States, Tensor, Tensor]]
"""Called as `step(states, actions)`; returns the next states, the rewards, and the
probability that each episode continues. The states are those of dreams, or a tensor
with one row per game.
"""


@dataclass(frozen=True)
class PlanSettings:
    """Settings of the cross-entropy method.

    Attributes:
        horizon: Steps of a plan.
        candidates: Plans that are drawn per round.
        elites: The best of them, to which the next ones are fitted.
        rounds: The number of times that plans are drawn.
        discount: The discount of a reward per step.
        smoothing: The share of the uniform distribution that is mixed in, so that no
            action is ruled out after one round.

    Raises:
        ValueError: If a number is out of range.
    """

    horizon: int = 14
    candidates: int = 40
    elites: int = 5
    rounds: int = 2
    discount: float | int = 0.97
    smoothing: float | int = 0.1

    def __post_init__(self):
        for name in ("horizon", "elites", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        if self.candidates < self.elites:
            raise ValueError(
                f"{self.elites} elites cannot be chosen from {self.candidates} "
                "candidates."
            )
        for name in ("discount", "smoothing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} must be from 0 to 1, got {getattr(self, name)}."
                )


def imagined_returns(
    step: DreamStep,
    states: States,
    plans: Int[Tensor, "plan step"],
    discount: float | int = 0.97,
) -> Float[Tensor, "plan"]:
    """Carry out each plan in a dream and return the discounted sum of its rewards."""
    returns = torch.zeros(len(plans), device=plans.device)
    weight = torch.ones_like(returns)
    for actions in plans.T:
        states, rewards, continues = step(states, actions)
        returns = returns + weight * rewards
        weight = discount * weight * continues
    return returns


@torch.no_grad()
def cross_entropy_search(
    step: DreamStep,
    states: States,
    n_actions: int,
    settings: PlanSettings | None = None,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "game step action"]:
    """Return for each game and each step of its plan the probability of each action,
    fitted to the elites of the last round.

    Args:
        step: A step of the dream; it may draw at random.
        states: The present state of each game.
        settings: The settings; None for the defaults.
        generator: The source of the candidates; None for torch's global one.

    Raises:
        ValueError: If there is not at least one action.

    Source: Rubinstein, The Cross-Entropy Method for Combinatorial and Continuous
        Optimization (1999); in a learned world: Hafner et al., Learning Latent
        Dynamics for Planning from Pixels, algorithm 2, https://arxiv.org/abs/1811.04551
    """
    if n_actions < 1:
        raise ValueError(f"There must be at least one action, got {n_actions}.")
    settings = settings or PlanSettings()
    games, horizon, count = len(states), settings.horizon, settings.candidates
    device = (states.memory if isinstance(states, DreamState) else states).device
    chances = torch.full((games, horizon, n_actions), 1 / n_actions, device=device)
    repeated = states[torch.arange(games).repeat_interleave(count)]
    for _ in range(settings.rounds):
        rows = chances[:, None].expand(-1, count, -1, -1).reshape(-1, n_actions)
        plans = draw(rows, generator).view(-1, horizon)
        returns = imagined_returns(step, repeated, plans, settings.discount)
        elites = returns.view(games, count).topk(settings.elites, dim=1).indices
        chosen = plans.view(games, count, horizon)[torch.arange(games)[:, None], elites]
        shares = functional.one_hot(chosen, n_actions).float().mean(dim=1)
        chances = (1 - settings.smoothing) * shares + settings.smoothing / n_actions
    return chances


def cross_entropy_plan(
    step: DreamStep,
    states: States,
    n_actions: int,
    settings: PlanSettings | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "game"]:
    """Plan, and return the most probable first action of each game; the rest of the
    plan is thrown away, because the next frame allows a better one (model-predictive
    control). See `cross_entropy_search`.
    """
    chances = cross_entropy_search(step, states, n_actions, settings, generator)
    return chances[:, 0].argmax(dim=-1)


def planning_policy(
    model: WorldModel,
    settings: PlanSettings | None = None,
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> Policy:
    """Return a policy that makes a new plan at each frame, in the model's dreams.

    Args:
        settings: See `PlanSettings`; None for the defaults.
        temperature: See `sample_codes`.
        generator: The source of the plans and of the dreamed frames.
    """
    step = partial(dream_step, model, temperature=temperature, generator=generator)
    actions = model.config.actions

    def policy(features: Float[Tensor, "game features"]) -> Int[Tensor, "game"]:
        memory, codes = features.split([model.config.memory, model.config.units], 1)
        state = DreamState(memory, codes)
        return cross_entropy_plan(step, state, actions, settings, generator)

    return policy
