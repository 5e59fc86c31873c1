"""Model-free learning from a recording: double Q-learning with replay, the opponent of
learning in dreams.

The learner gets exactly the recorded steps that a world model gets, and none of its
own. It sees two frames, as the agent of PPO does, and learns the value of each button
from randomly drawn steps, again and again.

Source: van Hasselt et al., Deep reinforcement learning with double Q-learning,
    https://arxiv.org/abs/1509.06461
"""

from copy import deepcopy

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from genai_tutorial.worldmodels import Recording

BATCH, RATE, DISCOUNT, KEEP = 512, 1e-3, 0.97, 0.99


class QNetwork(nn.Module):
    """Estimates the value of each button from two frames, with two hidden layers."""

    def __init__(self, pixels: int = 256, actions: int = 3, seed: int = 0):
        super().__init__()
        width = 128
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layers = nn.Sequential(
                nn.Linear(2 * pixels, width),
                nn.SiLU(),
                nn.Linear(width, width),
                nn.SiLU(),
                nn.Linear(width, actions),
            )

    def forward(
        self, seen: Float[Tensor, "batch pixel"]
    ) -> Float[Tensor, "batch action"]:
        """Return the values of the buttons."""
        return self.layers(seen)


class ReplayBuffer:
    """Recorded steps to draw from: two frames before each button, and two after it.

    Steps that were cut off because of the episode's length are left out, because the
    recording doesn't contain the frame after them.
    """

    def __init__(self, recording: Recording):
        self.recording = recording
        usable = ~recording.ended | recording.terminated
        usable[-1] = False  # nothing was recorded after the last step
        self.places = usable.nonzero()
        self.first = torch.ones_like(recording.ended)
        self.first[1:] = recording.ended[:-1]

    def seen(
        self, time: Int[Tensor, "batch"], game: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch pixel"]:
        """Return the frame before and the present one; at the beginning of an episode,
        the present one twice.
        """
        before = torch.where(self.first[time, game], time, time - 1)
        frames = self.recording.frames
        pair = torch.stack([frames[before, game], frames[time, game]], dim=1)
        return pair.flatten(start_dim=1).float() / 255

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw steps: what was seen, the button, the reward, what was seen next, and
        whether the world ended the episode.
        """
        chosen = torch.randint(len(self.places), (count,), generator=generator)
        time, game = self.places[chosen].unbind(dim=1)
        kept = self.recording
        return (
            self.seen(time, game),
            kept.actions[time, game],
            kept.rewards[time, game],
            self.seen(time + 1, game),
            kept.terminated[time, game],
        )


@torch.no_grad()
def double_q_targets(
    network: nn.Module,
    slow: nn.Module,
    rewards: Float[Tensor, "batch"],
    after: Float[Tensor, "batch pixel"],
    terminated: Bool[Tensor, "batch"],
) -> Float[Tensor, "batch"]:
    """Return reward plus discounted value of the next step, whose button the network
    chooses and its slow copy values.
    """
    best = network(after).argmax(dim=1, keepdim=True)
    value = slow(after).gather(1, best)[:, 0]
    return rewards + DISCOUNT * torch.where(terminated, 0.0, value)


class ReplayLearner:
    """Learns the values of the buttons from a recording."""

    def __init__(self, recording: Recording, seed: int = 0):
        self.buffer = ReplayBuffer(recording)
        self.network = QNetwork(recording.frames[0, 0].numel(), seed=seed)
        self.slow = deepcopy(self.network).requires_grad_(False)
        self.optimizer = torch.optim.Adam(self.network.parameters(), RATE)
        self.generator = torch.Generator().manual_seed(seed)

    def learn(self, updates: int) -> float:
        """Make some updates; return the last loss."""
        loss = torch.zeros(())
        for _ in range(updates):
            seen, actions, *rest = self.buffer.draw(BATCH, self.generator)
            targets = double_q_targets(self.network, self.slow, *rest)
            values = self.network(seen).gather(1, actions[:, None])[:, 0]
            loss = F.smooth_l1_loss(values, targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            with torch.no_grad():
                pairs = zip(
                    self.slow.parameters(), self.network.parameters(), strict=True
                )
                for old, new in pairs:
                    old.lerp_(new, 1 - KEEP)
        return float(loss.detach())


class GreedyPlayer:
    """Presses the button with the highest value; a `Player`."""

    def __init__(self, network: nn.Module):
        self.network, self._last = network, torch.zeros(0)

    @torch.no_grad()
    def __call__(
        self, frames: Float[Tensor, "game *frame"], first: Bool[Tensor, "game"]
    ) -> Int[Tensor, "game"]:
        """Return an action for each game."""
        pixels = frames.flatten(start_dim=1)
        last = pixels if first.all() else self._last
        self._last = pixels
        seen = torch.cat([torch.where(first[:, None], pixels, last), pixels], dim=1)
        return self.network(seen).argmax(dim=1)
