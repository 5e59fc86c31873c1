"""An actor and a critic that learn in dreams: the actor chooses the buttons, the critic
predicts the rewards that follow (REINFORCE with a baseline).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.training import EMA, clip_gradients, training_loop

from .dream import DreamPolicy, Imagined, ModelPlayer
from .model import WorldModel, WorldModelConfig, draw

Dreams = Callable[[DreamPolicy], Imagined]
"""Dreams a batch of episodes in which a policy chooses the actions."""

ENTROPY_WEIGHT = 0.01


class ActorCritic(nn.Module):
    """Two networks with one hidden layer each: logits of the actions, and the value.

    Both begin with weights of zero in the last layer: the actor presses all buttons
    about equally often.
    """

    def __init__(self, features: int, actions: int = 3, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor, self.critic = (
                nn.Sequential(
                    nn.Linear(features, 128), nn.SiLU(), nn.Linear(128, outputs)
                )
                for outputs in (actions, 1)
            )
        nn.init.zeros_(self.actor[-1].weight)
        nn.init.zeros_(self.critic[-1].weight)

    def logits(
        self, features: Float[Tensor, "*batch feature"]
    ) -> Float[Tensor, "*batch action"]:
        """Return the logits of the actions."""
        return self.actor(features)

    def values(
        self, features: Float[Tensor, "*batch feature"]
    ) -> Float[Tensor, "*batch"]:
        """Return the predicted return."""
        return self.critic(features)[..., 0]

    @torch.no_grad()
    def greedy(self, features: Float[Tensor, "game feature"]) -> Int[Tensor, "game"]:
        """Choose the most probable action: a policy for playing."""
        return self.logits(features).argmax(dim=-1)

    def sampling(
        self, generator: torch.Generator | None = None, random_share: float | int = 0.0
    ) -> DreamPolicy:
        """Return a policy that draws the actions.

        Args:
            random_share: The share of actions that are drawn uniformly, to collect
                varied experience.
        """

        @torch.no_grad()
        def policy(features: Float[Tensor, "game feature"]) -> Int[Tensor, "game"]:
            chances = self.logits(features).softmax(dim=-1)
            uniform = torch.full_like(chances, 1 / chances.shape[-1])
            return draw(chances.lerp(uniform, random_share), generator)[:, 0]

        return policy


def lambda_returns(
    rewards: Float[Tensor, "step *batch"],
    values: Float[Tensor, "step_and_last *batch"],
    continues: Float[Tensor, "step *batch"],
    discount: float | int = 0.97,
    decay: float | int = 0.95,
) -> Float[Tensor, "step *batch"]:
    r"""Return the λ-return of each step: a weighted mean of all n-step returns, each of
    which adds up n rewards and a predicted value for the rest.

    $$G_t = r_t + \gamma c_t \left((1 - \lambda) V_{t+1} + \lambda G_{t+1}\right),
    \qquad G_T = V_T$$

    With λ = 0 only the next value counts, with λ = 1 all rewards up to the last step.
    `generalized_advantage_estimate` of the alignment room is this return minus the
    value.

    Args:
        values: The predicted sum of rewards from each step on, and from the state after
            the last step.
        continues: The probability that the episode continues after each step, 0 where
            it ended.
        discount: γ, the discount of a reward per step.
        decay: λ.

    Raises:
        ValueError: If there is not one value more than rewards, or the discount or the
            decay is not from 0 to 1.

    Source: Hafner et al., Mastering Diverse Domains through World Models, section
        Critic Learning, https://arxiv.org/abs/2301.04104

    >>> rewards, values = torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5, 2.0])
    >>> lambda_returns(rewards, values, torch.ones(2), discount=0.5, decay=1)
    tensor([1., 2.])
    >>> lambda_returns(rewards, values, torch.tensor([1.0, 0.0]), discount=0.5, decay=1)
    tensor([0.5000, 1.0000])
    """
    for name, number in (("discount", discount), ("decay", decay)):
        if not 0 <= number <= 1:
            raise ValueError(f"{name} must be from 0 to 1, got {number}.")
    if len(values) != len(rewards) + 1:
        raise ValueError(
            f"{len(rewards)} steps need {len(rewards) + 1} values, one of them for the "
            f"state after the last step; got {len(values)}."
        )
    returns = torch.empty_like(rewards)
    later = values[-1]
    for step in reversed(range(len(rewards))):
        later = (1 - decay) * values[step + 1] + decay * later
        later = rewards[step] + discount * continues[step] * later
        returns[step] = later
    return returns


class ReturnScale:
    """The range of the returns, by which advantages are divided, so that one weight of
    the entropy suits every world: from the 5% to the 95% quantile, at least 0.3, as a
    running mean over the updates.

    Source: Hafner et al., Mastering Diverse Domains through World Models, section
        Actor Learning, https://arxiv.org/abs/2301.04104

    >>> ReturnScale().update(torch.arange(101.0))
    90.0
    """

    def __init__(self):
        self.value: float | None = None

    def update(self, returns: Float[Tensor, "*batch"]) -> float:
        """Include new returns, and return the scale."""
        low, high = returns.flatten().quantile(returns.new_tensor([0.05, 0.95]))
        spread = max(float(high - low), 0.3)
        old = spread if self.value is None else self.value
        self.value = 0.95 * old + (1 - 0.95) * spread
        return self.value


def actor_critic_loss(
    agent: ActorCritic,
    imagined: Imagined,
    returns: Float[Tensor, "step game"],
    scale: float,
) -> Float[Tensor, ""]:
    r"""Return the loss of a batch of dreams.

    $$\sum_t w_t \left(-\frac{G_t - V_t}{S} \log \pi(a_t) - \eta H(\pi) + \tfrac12 (V_t
    - G_t)^2\right)$$

    divided by the number of steps. w is the probability that the dream has not ended
    before the step; the advantage carries no gradient; G are the λ-returns; η is 0.01.

    Args:
        imagined: The dreams, with the actor's own actions.
        scale: S, the range of the returns.

    Source: Hafner et al., Mastering Diverse Domains through World Models, sections
        Actor Learning and Critic Learning, https://arxiv.org/abs/2301.04104
    """
    features = imagined.features[:-1]
    log_probs = agent.logits(features).log_softmax(dim=-1)
    chosen = log_probs.gather(-1, imagined.actions[..., None])[..., 0]
    values = agent.values(features)
    advantages = (returns - values.detach()) / scale
    entropies = -(log_probs.exp() * log_probs).sum(dim=-1)
    actor = -chosen * advantages - ENTROPY_WEIGHT * entropies
    return (imagined.weights * (actor + 0.5 * (values - returns).square())).mean()


def learn_in_dreams(
    agent: ActorCritic,
    dreams: Dreams,
    updates: int,
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> list[float]:
    """Train actor and critic on dreams only, a batch for each update; return the mean
    sum of rewards per dream at each.

    Args:
        dreams: Dreams a batch with a policy, such as `lambda policy: imagine(model,
            dream_starts(model, recording, 128, generator), policy, 20)`.
        generator: The source of the actions; None for torch's global one.

    Raises:
        ValueError: If there is not at least one update.
    """
    optimizer = torch.optim.Adam(agent.parameters(), 2e-3, eps=1e-5)
    slow = EMA(agent, 0.95)  # its values are the targets
    scale, rewards = ReturnScale(), []
    for _ in training_loop(
        updates,
        optimizer,
        lambda update: 1 - 0.9 * update / updates,
        label="dreaming",
        progress=progress,
    ):
        with torch.no_grad():
            imagined = dreams(agent.sampling(generator))
            values = slow.model.values(imagined.features)
            returns = lambda_returns(imagined.rewards, values, imagined.continues)
        loss = actor_critic_loss(agent, imagined, returns, scale.update(returns))
        optimizer.zero_grad()
        loss.backward()
        clip_gradients(agent.parameters(), 10.0)
        optimizer.step()
        slow.update(agent)
        rewards.append(imagined.total_reward)
    return rewards


class Dreamer(nn.Module):
    """A world model and the player that learned in its dreams."""

    def __init__(self, config: WorldModelConfig, seed: int):
        super().__init__()
        self.world = WorldModel(config, seed)
        self.agent = ActorCritic(config.memory + config.units, config.actions, seed)

    def player(self) -> ModelPlayer:
        """Return the player, which takes the most likely actions."""
        return ModelPlayer(self.world, self.agent.greedy)
