import pytest
import torch

from genai_tutorial.worldmodels import (
    ActorCritic,
    ActorCriticSettings,
    DreamState,
    Imagined,
    actor_critic_loss,
    lambda_returns,
    learn_in_dreams,
)

GAMES, STEPS = 64, 6
FAST = ActorCriticSettings(learning_rate=2e-2)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


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
    assert agent.sampling(generator())(features).sum() == 0
    some = agent.sampling(generator(), random_share=0.2)(features).float().mean()
    assert some == pytest.approx(0.1, abs=0.02)


def test_loss_is_zero_gradient_for_a_certain_critic_without_entropy():
    """Where every return is as predicted, nothing is to be learned."""
    agent = ActorCritic(features=4, actions=2)
    dreams = signs(agent.sampling(generator()), generator())
    returns = agent.values(dreams.features[:-1]).detach()
    loss, entropy = actor_critic_loss(agent, dreams, returns, 1.0, entropy_weight=0)
    loss.backward()
    assert all(weight.grad.abs().max() < 1e-6 for weight in agent.parameters())
    assert float(entropy.detach()) == pytest.approx(0.693, abs=0.02)


def test_loss_does_not_count_what_comes_after_an_end():
    agent = ActorCritic(features=4, actions=2)
    dreams = signs(agent.sampling(generator()), generator())
    continues = torch.ones(STEPS, GAMES)
    continues[1] = 0
    ended = Imagined(dreams.states, dreams.actions, dreams.rewards, continues)
    returns = lambda_returns(
        dreams.rewards, torch.zeros(STEPS + 1, GAMES), torch.ones(STEPS, GAMES)
    )
    other = returns.clone()
    other[2:] += 5
    losses = [
        actor_critic_loss(agent, ended, kind, 1.0)[0] for kind in (returns, other)
    ]
    assert torch.equal(*losses)


def test_learning_finds_what_pays():
    agent, draw = ActorCritic(features=4, actions=2, width=32), generator()
    history = learn_in_dreams(
        agent, lambda policy: signs(policy, draw), 60, FAST, draw, progress=False
    )
    # a random player is paid half of the six steps
    assert history.rewards[0] == pytest.approx(3, abs=0.5)
    assert history.rewards[-1] > 5
    features = torch.randn(500, 4, generator=draw)
    assert ((agent.greedy(features) == (features[:, 0] > 0)).float().mean()) > 0.9


def test_learning_refuses_no_updates():
    with pytest.raises(ValueError, match="at least one step, got 0"):
        learn_in_dreams(ActorCritic(4), lambda policy: None, 0)


@pytest.mark.parametrize("name", ["discount", "decay", "target_decay"])
def test_settings_refuse_what_is_no_share(name):
    with pytest.raises(ValueError, match=f"{name} must be from 0 to 1, got 2"):
        ActorCriticSettings(**{name: 2})


@pytest.mark.parametrize("name", ["learning_rate", "clip_norm"])
def test_settings_refuse_zero(name):
    with pytest.raises(ValueError, match=f"{name} must be above 0, got 0"):
        ActorCriticSettings(**{name: 0})
