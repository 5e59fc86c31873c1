import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.alignment import generalized_advantage_estimate
from genai_tutorial.worldmodels import (
    ActorCritic,
    DreamState,
    Imagined,
    ReturnScale,
    actor_critic,
    actor_critic_loss,
    lambda_returns,
    learn_in_dreams,
)
from tests.drawn import seeded

SHARES = st.floats(0, 1, width=32)


GAMES, STEPS = 64, 6


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed))


@given(discount=SHARES, decay=SHARES, seed=st.integers(0, 1000))
def test_lambda_returns_are_generalized_advantages_plus_values(discount, decay, seed):
    """The value after the last step enters the other function as a last reward."""
    rewards, values = normal(6, 3, seed=seed), normal(7, 3, seed=seed + 1)
    found = lambda_returns(rewards, values, torch.ones(6, 3), discount, decay)
    advantages = generalized_advantage_estimate(
        torch.cat([rewards, values[-1:]]).T,
        values.T,
        torch.ones(3, 7, dtype=torch.bool),
        discount,
        decay,
    )
    assert torch.allclose(found, advantages.T[:-1] + values[:-1], atol=1e-5)


def test_lambda_returns_count_nothing_after_an_end():
    rewards, values = normal(5, 2), normal(6, 2, seed=1)
    continues = torch.ones(5, 2)
    continues[2] = 0
    found = lambda_returns(rewards, values, continues)
    assert torch.equal(found[2], rewards[2])
    changed = rewards.clone()
    changed[3:] += 100
    assert torch.equal(found[:3], lambda_returns(changed, values, continues)[:3])


@pytest.mark.parametrize(
    ("values", "discount", "decay", "message"),
    [
        (3, 1.1, 1, "discount must be from 0 to 1, got 1.1"),
        (3, 1, -0.1, "decay must be from 0 to 1"),
        (2, 1, 1, "2 steps need 3 values"),
    ],
)
def test_lambda_returns_refuse(values, discount, decay, message):
    rewards, continues = torch.zeros(2), torch.ones(2)
    with pytest.raises(ValueError, match=message):
        lambda_returns(rewards, torch.zeros(values), continues, discount, decay)


def test_return_scale_averages_and_ignores_outliers_and_small_ranges():
    returns = torch.cat([torch.linspace(0, 1, 99), torch.tensor([1e6])])
    assert ReturnScale().update(returns) < 1
    scale = ReturnScale()
    assert scale.update(torch.zeros(4)) == pytest.approx(0.3)
    assert scale.update(torch.linspace(0, 1, 101)) == pytest.approx(0.33)


def signs(policy, draw):
    """Dreams in which action 1 pays where the first feature is above zero, and action 0
    where it is below; nothing that is done changes what comes next.
    """
    features = torch.randn(STEPS + 1, GAMES, 4, generator=draw)
    actions = torch.stack([policy(row) for row in features[:-1]])
    right = actions == (features[:-1, :, 0] > 0)
    return Imagined(
        DreamState(features[..., :2], features[..., 2:]),
        actions,
        right.float(),
        torch.ones(STEPS, GAMES),
    )


def test_actor_critic_begins_with_equal_chances_and_no_value():
    agent = ActorCritic(features=4)
    assert torch.equal(agent.values(torch.randn(5, 4)), agent.critic[-1].bias.expand(5))
    assert torch.allclose(
        agent.logits(torch.randn(5, 4)), agent.actor[-1].bias.expand(5, 3)
    )


def test_actor_critic_seed_decides_the_weights_and_leaves_the_global_one_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    agents = [ActorCritic(features=4, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    weights = [agent.actor[0].weight for agent in agents]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_sampling_mixes_in_random_actions():
    agent = ActorCritic(features=2, actions=2)
    with torch.no_grad():
        agent.actor[-1].bias.copy_(torch.tensor([20.0, -20.0]))
    features = torch.zeros(4000, 2)
    assert agent.sampling(seeded())(features).sum() == 0
    some = agent.sampling(seeded(), random_share=0.2)(features).float().mean()
    assert some == pytest.approx(0.1, abs=0.02)


def test_loss_is_zero_gradient_for_a_certain_critic_without_entropy(monkeypatch):
    """Where every return is as predicted, nothing is to be learned."""
    agent = ActorCritic(features=4, actions=2)
    dreams = signs(agent.sampling(seeded()), seeded())
    returns = agent.values(dreams.features[:-1]).detach()
    monkeypatch.setattr(actor_critic, "ENTROPY_WEIGHT", 0.0)
    loss = actor_critic_loss(agent, dreams, returns, 1.0)
    loss.backward()
    assert all(weight.grad.abs().max() < 1e-6 for weight in agent.parameters())


def test_loss_does_not_count_what_comes_after_an_end():
    agent = ActorCritic(features=4, actions=2)
    dreams = signs(agent.sampling(seeded()), seeded())
    continues = torch.ones(STEPS, GAMES)
    continues[1] = 0
    ended = Imagined(dreams.states, dreams.actions, dreams.rewards, continues)
    returns = lambda_returns(
        dreams.rewards, torch.zeros(STEPS + 1, GAMES), torch.ones(STEPS, GAMES)
    )
    other = returns.clone()
    other[2:] += 5
    losses = [actor_critic_loss(agent, ended, kind, 1.0) for kind in (returns, other)]
    assert torch.equal(*losses)


@pytest.mark.slow
def test_learning_finds_what_pays():
    agent, draw = ActorCritic(features=4, actions=2), seeded()
    rewards = learn_in_dreams(
        agent, lambda policy: signs(policy, draw), 200, draw, progress=False
    )
    # a random player is paid half of the six steps
    assert rewards[0] == pytest.approx(3, abs=0.5)
    assert rewards[-1] > 5
    features = torch.randn(500, 4, generator=draw)
    assert ((agent.greedy(features) == (features[:, 0] > 0)).float().mean()) > 0.9

    with pytest.raises(ValueError, match="at least one step, got 0"):
        learn_in_dreams(agent, lambda policy: None, 0)
