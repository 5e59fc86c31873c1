from functools import partial

import pytest
import torch

from genai_tutorial.worldmodels import (
    DreamState,
    WorldModel,
    WorldModelConfig,
    cross_entropy_search,
    dream_step,
    planning,
    planning_policy,
)
from genai_tutorial.worldmodels.planning import cross_entropy_plan, imagined_returns
from tests.drawn import seeded


def walk(states, actions):
    """Numbers that rise or fall by one; the reward is the number, up to 3."""
    states = states + 2 * actions - 1
    return states, states.clamp(max=3).float(), torch.ones(len(states))


def trap(states, actions):
    """Action 1 pays at once and ends the episode; action 0 pays a little each time."""
    rewards = torch.where(actions == 1, 1.0, 0.4)
    return states, rewards, 1.0 - actions.float()


def test_imagined_returns_are_discounted_sums():
    plans = torch.tensor([[1, 1, 1], [1, 0, 0]])
    found = imagined_returns(walk, torch.zeros(2), plans)
    expected = [1 + 0.97 * 2 + 0.97**2 * 3, 1 + 0.97 * 0 + 0.97**2 * -1]
    assert found.tolist() == pytest.approx(expected)


def test_imagined_returns_stop_at_the_end_of_an_episode():
    plans = torch.tensor([[1, 0, 0], [0, 0, 1]])
    found = imagined_returns(trap, torch.zeros(2), plans)
    expected = [1.0, 0.4 + 0.97 * 0.4 + 0.97**2]
    assert found.tolist() == pytest.approx(expected)


def test_search_finds_the_best_of_all_plans(monkeypatch):
    """The best plan of four steps is found by trying all sixteen."""
    plans = torch.cartesian_prod(*[torch.arange(2)] * 4)
    returns = imagined_returns(trap, torch.zeros(16), plans)
    monkeypatch.setattr(planning, "HORIZON", 4)
    monkeypatch.setattr(planning, "ROUNDS", 4)
    chances = cross_entropy_search(trap, torch.zeros(3), 2, seeded())
    best = plans[returns.argmax()]
    assert (chances.argmax(dim=-1) == best).all()


def test_plan_is_the_first_action_of_the_search():
    states = torch.tensor([0.0, 5.0, -4.0])
    chances = cross_entropy_search(walk, states, 2, generator=seeded())
    plan = cross_entropy_plan(walk, states, 2, generator=seeded())
    assert torch.equal(plan, chances[:, 0].argmax(dim=-1))
    assert plan[2] == 1


def test_search_keeps_every_action_possible():
    chances = cross_entropy_search(walk, torch.zeros(2), 2, generator=seeded())
    assert torch.allclose(chances.sum(dim=-1), torch.ones(2, 14))
    assert chances.min() >= 0.05 - 1e-6


def test_planning_policy_plans_in_the_dreams_of_the_model():
    config = WorldModelConfig(groups=3, codes=4, hidden=16, memory=12)
    model = WorldModel(config, seed=1)
    draw = seeded()
    codes = torch.nn.functional.one_hot(torch.randint(0, 4, (5, 3), generator=draw), 4)
    state = DreamState(torch.randn(5, 12, generator=draw), codes.flatten(1).float())
    policy, draw = planning_policy(model, seeded(3)), seeded(3)
    step = partial(dream_step, model, generator=draw)
    expected = cross_entropy_plan(step, state, 3, draw)
    assert torch.equal(policy(state.features), expected)
