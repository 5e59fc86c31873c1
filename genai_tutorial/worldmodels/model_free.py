"""Model-free learning: PPO from real steps only, the baseline for learning in dreams.

The agent sees the present frame and the one before it, which together show where things
move. It plays for a while in many games, turns what happened into advantages, makes a
few passes over it with chapter 14's clipped losses, and discards it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.alignment import (
    PPOSettings,
    clipped_policy_loss,
    clipped_value_loss,
    entropy,
    whiten,
)
from genai_tutorial.training import clip_gradients, training_loop

from .actor_critic import lambda_returns
from .world import World

GAME_PPO = PPOSettings(
    value_weight=0.5, entropy_weight=0.01, discount=0.97, clip_norm=0.5
)
"""Hyperparameters for games: chapter 14's, with rewards that are discounted."""
PIECE = 32  # steps of each game between two updates


class PixelAgent(nn.Module):
    """An actor and a critic that see two frames, each with two hidden layers.

    Args:
        frame: The shape of a frame.
    """

    def __init__(
        self, frame: tuple[int, ...] = (16, 16), actions: int = 3, seed: int = 0
    ):
        super().__init__()
        width, inputs = 128, 2 * torch.Size(frame).numel()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor, self.critic = (
                nn.Sequential(
                    nn.Linear(inputs, width),
                    nn.SiLU(),
                    nn.Linear(width, width),
                    nn.SiLU(),
                    nn.Linear(width, outputs),
                )
                for outputs in (actions, 1)
            )
        for network in (self.actor, self.critic):
            nn.init.zeros_(network[-1].weight)

    def forward(
        self, seen: Float[Tensor, "game pixel"]
    ) -> tuple[Float[Tensor, "game action"], Float[Tensor, "game"]]:
        """Return the logits of the actions, and the predicted return."""
        return self.actor(seen), self.critic(seen)[:, 0]


class TwoFrames:
    """Remembers the last frame of each game, so that an agent sees two."""

    def __init__(self):
        self._last: Tensor | None = None

    def __call__(
        self, frames: Float[Tensor, "game *frame"], first: Bool[Tensor, "game"]
    ) -> Float[Tensor, "game pixel"]:
        """Return the last and the present frame as one row of pixels per game; in the
        first step of an episode, the present one twice.
        """
        pixels = frames.flatten(start_dim=1)
        last = pixels if self._last is None else self._last
        self._last = pixels
        return torch.cat([torch.where(first[:, None], pixels, last), pixels], dim=1)


class PixelPlayer:
    """Lets a `PixelAgent` play with the most probable actions; a `Player`."""

    def __init__(self, agent: PixelAgent):
        self.agent, self._eyes = agent, TwoFrames()

    @torch.no_grad()
    def __call__(
        self, frames: Float[Tensor, "game *frame"], first: Bool[Tensor, "game"]
    ) -> Int[Tensor, "game"]:
        """Return an action for each game."""
        if first.all():
            self._eyes = TwoFrames()
        return self.agent(self._eyes(frames, first))[0].argmax(dim=1)


@dataclass(frozen=True)
class PlayedSteps:
    """Real steps of an agent, ready for PPO: the pixels that it saw, its actions with
    their log-probabilities, the predicted returns, the λ-returns, and the rewards.
    """

    seen: Float[Tensor, "game step pixel"]
    actions: Int[Tensor, "game step"]
    log_probs: Float[Tensor, "game step"]
    values: Float[Tensor, "game step"]
    returns: Float[Tensor, "game step"]
    rewards: Float[Tensor, "game step"]


class PPOLearner:
    """Trains an agent by playing, a piece at a time.

    Args:
        world: The games; each piece continues where the last one stopped.
        seed: Decides the actions and the order of the minibatches.
    """

    def __init__(self, agent: PixelAgent, world: World, seed: int = 0):
        self.agent, self.world = agent, world
        self.optimizer = torch.optim.Adam(agent.parameters(), 2e-3, eps=1e-5)
        self.generator = torch.Generator().manual_seed(seed)
        self._eyes = TwoFrames()
        first = torch.ones(world.games, dtype=torch.bool)
        self._seen = self._eyes(world.frames, first)

    @torch.no_grad()
    def play(self, steps: int) -> PlayedSteps:
        """Continue all games for some steps. If an episode was cut off because of its
        length, the value of its last frame replaces the rewards that would follow.
        """
        kept = []
        for _ in range(steps):
            logits, values = self.agent(self._seen)
            actions = torch.multinomial(
                logits.softmax(dim=1), 1, generator=self.generator
            )
            log_probs = logits.log_softmax(dim=1).gather(1, actions)[:, 0]
            step = self.world.step(actions[:, 0])
            pixels = self._seen[:, self._seen.shape[1] // 2 :]
            last = torch.cat([pixels, step.last_frames.flatten(start_dim=1)], dim=1)
            cut = step.ended & ~step.terminated
            credit = GAME_PPO.discount * self.agent(last)[1] * cut
            happened = (self._seen, actions[:, 0], log_probs, values, step.rewards)
            kept.append((*happened, step.rewards + credit, 1.0 - step.ended.float()))
            self._seen = self._eyes(step.frames, step.ended)
        seen, actions, log_probs, values, rewards, credited, continues = (
            torch.stack(column) for column in zip(*kept, strict=True)
        )
        returns = lambda_returns(
            credited,
            torch.cat([values, self.agent(self._seen)[1][None]]),
            continues,
            GAME_PPO.discount,
            GAME_PPO.decay,
        )
        columns = (seen, actions, log_probs, values, returns, rewards)
        return PlayedSteps(*(column.transpose(0, 1) for column in columns))

    def update(self, play: PlayedSteps) -> None:
        """Make a few passes over what was played."""
        seen = play.seen.flatten(end_dim=1)
        actions, old, values, returns = (
            column.flatten()[None]
            for column in (play.actions, play.log_probs, play.values, play.returns)
        )
        settings, every = GAME_PPO, torch.ones_like(old, dtype=torch.bool)
        advantages = whiten(returns - values, every)
        for _ in range(settings.epochs):
            order = torch.randperm(len(seen), generator=self.generator)
            for part in order.tensor_split(settings.minibatches):
                logits, predicted = self.agent(seen[part])
                chosen = logits.log_softmax(dim=1).gather(1, actions[0, part, None]).T
                mask = every[:, part]
                ratios = (chosen - old[:, part]).exp()
                policy = clipped_policy_loss(
                    ratios, advantages[:, part], mask, settings.clip
                )
                now, before, target = predicted[None], values[:, part], returns[:, part]
                value = clipped_value_loss(
                    now, before, target, mask, settings.value_clip
                )
                loss = (
                    policy
                    + settings.value_weight * value
                    - settings.entropy_weight * entropy(logits).mean()
                )
                self.optimizer.zero_grad()
                loss.backward()
                clip_gradients(self.agent.parameters(), settings.clip_norm)
                self.optimizer.step()


def learn_by_playing(
    learner: PPOLearner, steps: int, progress: bool = True
) -> list[float]:
    """Play and learn until at least `steps` real steps are used up, counted over all
    games; return the mean reward per step of each piece.

    Raises:
        ValueError: If there is not at least one step.
    """
    pieces, rewards = -(-steps // (PIECE * learner.world.games)), []
    for _ in training_loop(pieces, label="playing", progress=progress):
        play = learner.play(PIECE)
        learner.update(play)
        rewards.append(float(play.rewards.mean()))
    return rewards
