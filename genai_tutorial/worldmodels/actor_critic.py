"""An actor and a critic that learn in dreams: the actor chooses the buttons, the critic
predicts the rewards that follow.

The actor makes those choices more probable whose return was higher than the critic had
predicted (REINFORCE with a baseline). Any world model can supply the dreams.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.training import EMA, clip_gradients, training_loop

from .dream import Imagined, Policy
from .representation import draw
from .returns import ReturnScale, lambda_returns

Dreams = Callable[[Policy], Imagined]
"""Dreams a batch of episodes in which a policy chooses the actions."""


@dataclass(frozen=True)
class ActorCriticSettings:
    """Hyperparameters of learning in dreams.

    Attributes:
        discount: The discount of a reward per step.
        decay: See `lambda_returns`.
        entropy_weight: The weight of the entropy bonus, against advantages that are
            divided by the range of the returns.
        learning_rate: Adam's, at the start; it falls linearly to a tenth.
        target_decay: The decay of the moving average of the critic, whose values are
            the targets.
        clip_norm: The largest norm of the gradient.

    Raises:
        ValueError: If a number is out of range.
    """

    discount: float | int = 0.97
    decay: float | int = 0.95
    entropy_weight: float | int = 0.01
    learning_rate: float | int = 2e-3
    target_decay: float | int = 0.95
    clip_norm: float | int = 10.0

    def __post_init__(self):
        for name in ("discount", "decay", "target_decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} must be from 0 to 1, got {getattr(self, name)}."
                )
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}.")


class ActorCritic(nn.Module):
    """Two networks with one hidden layer each: logits of the actions, and the value.

    Both begin with outputs of zero: the actor presses all buttons equally often.

    Args:
        width: Width of the hidden layers.
        seed: Decides the first weights.
    """

    def __init__(
        self, features: int, actions: int = 3, width: int = 128, seed: int = 0
    ):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor, self.critic = (
                nn.Sequential(
                    nn.Linear(features, width), nn.SiLU(), nn.Linear(width, outputs)
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
    ) -> Policy:
        """Return a policy that draws the actions.

        Args:
            generator: The source of randomness; None for torch's global one.
            random_share: The share of actions that are drawn uniformly, to collect
                varied experience.
        """

        @torch.no_grad()
        def policy(features: Float[Tensor, "game feature"]) -> Int[Tensor, "game"]:
            chances = self.logits(features).softmax(dim=-1)
            mixed = chances.lerp(
                torch.full_like(chances, 1 / chances.shape[-1]), random_share
            )
            return draw(mixed, generator)[:, 0]

        return policy


def actor_critic_loss(
    agent: ActorCritic,
    imagined: Imagined,
    returns: Float[Tensor, "step game"],
    scale: float,
    entropy_weight: float | int = 0.01,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    r"""Return the loss of a batch of dreams, and the policy's mean entropy in nats.

    $$\sum_t w_t \left(-\frac{G_t - V_t}{S} \log \pi(a_t) - \eta H(\pi) + \tfrac12 (V_t
    - G_t)^2\right)$$

    divided by the number of steps. w is the probability that the dream has not ended
    before the step; the advantage carries no gradient.

    Args:
        agent: The actor and the critic.
        imagined: The dreams, with the actor's own actions.
        returns: Their λ-returns.
        scale: S, the range of the returns.
        entropy_weight: η.

    Source: Hafner et al., Mastering Diverse Domains through World Models, sections
        Actor Learning and Critic Learning, https://arxiv.org/abs/2301.04104
    """
    features = imagined.features[:-1]
    log_probs = agent.logits(features).log_softmax(dim=-1)
    chosen = log_probs.gather(-1, imagined.actions[..., None])[..., 0]
    values = agent.values(features)
    advantages = (returns - values.detach()) / scale
    entropies = -(log_probs.exp() * log_probs).sum(dim=-1)
    losses = (
        -chosen * advantages
        - entropy_weight * entropies
        + 0.5 * (values - returns).square()
    )
    return (imagined.weights * losses).mean(), entropies.mean()


@dataclass(frozen=True)
class DreamHistory:
    """The dream rewards and the entropy at each update.

    Attributes:
        rewards: The mean sum of rewards per dream.
        entropies: The policy's mean entropy, in nats.
    """

    rewards: list[float] = field(default_factory=list)
    entropies: list[float] = field(default_factory=list)


def learn_in_dreams(
    agent: ActorCritic,
    dreams: Dreams,
    updates: int,
    settings: ActorCriticSettings | None = None,
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> DreamHistory:
    """Train actor and critic on dreams only.

    Args:
        agent: The actor and the critic; they are changed.
        dreams: Dreams a batch with a policy, such as `lambda policy: imagine(model,
            dream_starts(model, recording, 128, generator), policy, 20)`.
        updates: The number of batches, each for one step of the optimizer.
        settings: The hyperparameters; None for the defaults.
        generator: The source of the actions; None for torch's global one.

    Raises:
        ValueError: If there is not at least one update.
    """
    settings = settings or ActorCriticSettings()
    optimizer = torch.optim.Adam(agent.parameters(), settings.learning_rate, eps=1e-5)
    slow = EMA(agent, settings.target_decay)
    scale, history = ReturnScale(), DreamHistory()
    for _ in training_loop(
        updates,
        optimizer,
        lambda update: 1 - 0.9 * update / updates,
        label="dreaming",
        progress=progress,
    ):
        with torch.no_grad():
            imagined = dreams(agent.sampling(generator))
            returns = lambda_returns(
                imagined.rewards,
                slow.model.values(imagined.features),
                imagined.continues,
                settings.discount,
                settings.decay,
            )
        loss, entropy = actor_critic_loss(
            agent, imagined, returns, scale.update(returns), settings.entropy_weight
        )
        optimizer.zero_grad()
        loss.backward()
        clip_gradients(agent.parameters(), settings.clip_norm)
        optimizer.step()
        slow.update(agent)
        history.rewards.append(imagined.total_reward)
        history.entropies.append(float(entropy.detach()))
    return history
