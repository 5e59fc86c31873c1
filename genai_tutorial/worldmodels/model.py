"""The world model: predicts the next frame, the reward and the end of the episode.

A frame is represented by one code from each of several groups. The model predicts codes
rather than pixels, because it can give several codes a probability, where an average of
pixels would be blurred. A recurrent network keeps a memory of the codes and the
actions, step by step, and the heads predict from it.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


def mix_uniform(
    logits: Float[Tensor, "*batch code"], share: float
) -> Float[Tensor, "*batch code"]:
    """Return the probabilities of logits, with a share of the uniform distribution."""
    return (1 - share) * F.softmax(logits, dim=-1) + share / logits.shape[-1]


def straight_through_sample(
    probabilities: Float[Tensor, "*batch code"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*batch code"]:
    """Draw a one-hot code whose gradient is its probabilities' gradient.

    Source: Bengio et al., Estimating or Propagating Gradients Through Stochastic
    Neurons, https://arxiv.org/abs/1308.3432

    >>> probabilities = torch.tensor([[0.0, 1.0]], requires_grad=True)
    >>> code = straight_through_sample(probabilities)
    >>> (code * torch.tensor([3.0, 5.0])).sum().backward()
    >>> code.detach(), probabilities.grad
    (tensor([[0., 1.]]), tensor([[3., 5.]]))
    """
    drawn = one_hot_sample(probabilities.detach(), generator)
    return drawn + probabilities - probabilities.detach()


def one_hot_sample(
    probabilities: Float[Tensor, "*batch code"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*batch code"]:
    """Draw one code from each distribution, as one-hot vectors."""
    rows = probabilities.flatten(end_dim=-2)
    chosen = draw(rows, generator)
    return torch.zeros_like(rows).scatter_(1, chosen, 1.0).view_as(probabilities)


def draw(
    probabilities: Float[Tensor, "row number"], generator: torch.Generator | None
) -> Int[Tensor, "row 1"]:
    """Draw one number from each distribution, on the generator's own device."""
    source = probabilities if generator is None else generator
    drawn = torch.multinomial(probabilities.to(source.device), 1, generator=generator)
    return drawn.to(probabilities.device)


def categorical_kl(
    p: Float[Tensor, "*batch group code"], q: Float[Tensor, "*batch group code"]
) -> Float[Tensor, "*batch"]:
    """Return the KL divergence from q to p in nats, summed over the groups.

    >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    >>> round(float(categorical_kl(p, q)), 4)
    0.1438
    """
    return (p * (p.log() - q.log())).sum(dim=(-1, -2))


REWARDS = (-1.0, 0.0, 1.0)
"""The rewards that the model distinguishes: rewards are predicted as one of these."""


@dataclass(frozen=True)
class WorldModelConfig:
    """The size of a world model.

    Attributes:
        frame: The shape of a frame.
        groups: The number of groups of codes for a frame.
        hidden: The width of the hidden layers of encoder and decoder.
        memory: The width of the recurrent memory, and of the layers around it.
        uniform: The share of the uniform distribution in the encoder's probabilities.
            With 0, the divergence of two codes could be infinite.
    """

    frame: tuple[int, ...] = (16, 16)
    actions: int = 3
    groups: int = 8
    codes: int = 16
    hidden: int = 256
    memory: int = 128
    uniform: float = 0.01

    @property
    def units(self) -> int:
        """The length of a frame's code, all groups together."""
        return self.groups * self.codes


class CategoricalEncoder(nn.Module):
    """Reads the probabilities of a frame's codes from its pixels."""

    def __init__(self, config: WorldModelConfig):
        super().__init__()
        self.shape, self.uniform = (config.groups, config.codes), config.uniform
        self.hidden = nn.Linear(math.prod(config.frame), config.hidden)
        self.to_codes = nn.Linear(config.hidden, config.units)

    def forward(
        self, frames: Float[Tensor, "batch *frame"]
    ) -> Float[Tensor, "batch group code"]:
        """Return the probabilities of the codes in each group."""
        features = F.silu(self.hidden(frames.flatten(start_dim=1)))
        return mix_uniform(
            self.to_codes(features).unflatten(-1, self.shape), self.uniform
        )


class FrameDecoder(nn.Module):
    """Draws a frame from its codes."""

    def __init__(self, frame: tuple[int, ...], units: int, hidden: int):
        super().__init__()
        self.frame = frame
        self.hidden = nn.Linear(units, hidden)
        self.head = nn.Linear(hidden, math.prod(frame))

    def forward(
        self, codes: Float[Tensor, "batch units"]
    ) -> Float[Tensor, "batch *frame"]:
        """Return the logits of the pixels' brightness."""
        return self.head(F.silu(self.hidden(codes))).unflatten(-1, self.frame)


@dataclass(frozen=True)
class WorldPrediction:
    """The model's prediction after an action.

    Attributes:
        codes: Logits of the next frame's codes.
        rewards: Logits of the rewards in `REWARDS`.
        end: Logit of the end of the episode.
    """

    codes: Float[Tensor, "*batch group code"]
    rewards: Float[Tensor, "*batch 3"]
    end: Float[Tensor, "*batch"]


class GatedRecurrentUnit(nn.Module):
    r"""A GRU, with its matrices as linear layers so that Muon trains them.

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder,
        section 2.3, https://arxiv.org/abs/1406.1078; the order of the gates and the
        position of r are as in `torch.nn.GRUCell`.
    """

    def __init__(self, width: int, memory: int):
        super().__init__()
        self.from_input = nn.Linear(width, 3 * memory)
        self.from_memory = nn.Linear(memory, 3 * memory)

    def forward(
        self, x: Float[Tensor, "batch width"], memory: Float[Tensor, "batch memory"]
    ) -> Float[Tensor, "batch memory"]:
        """Return the memory after one step."""
        return self.step(self.from_input(x), memory)

    def step(
        self,
        from_input: Float[Tensor, "batch gates"],
        memory: Float[Tensor, "batch memory"],
    ) -> Float[Tensor, "batch memory"]:
        """Return the memory after a step whose input has been multiplied already."""
        reset_x, update_x, new_x = from_input.chunk(3, dim=-1)
        reset_h, update_h, new_h = self.from_memory(memory).chunk(3, dim=-1)
        reset, update = (
            torch.sigmoid(reset_x + reset_h),
            torch.sigmoid(update_x + update_h),
        )
        return torch.lerp(torch.tanh(new_x + reset * new_h), memory, update)


class WorldModel(nn.Module):
    """Encodes frames, remembers, and predicts.

    Args:
        seed: Seed of the initial weights.

    Source: Hafner et al., Mastering Atari with Discrete World Models (DreamerV2),
        https://arxiv.org/abs/2010.02193, with an encoder that does not see the memory,
        as in Zhang et al., STORM, https://arxiv.org/abs/2310.09615
    """

    def __init__(self, config: WorldModelConfig | None = None, seed: int = 0):
        super().__init__()
        self.config = config = config or WorldModelConfig()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = CategoricalEncoder(config)
            self.decoder = FrameDecoder(config.frame, config.units, config.hidden)
            self.input = nn.Linear(config.units + config.actions, config.memory)
            self.recurrent = GatedRecurrentUnit(config.memory, config.memory)
            self.body = nn.Linear(config.memory, config.memory)
            # codes, rewards and end
            self.head = nn.Linear(config.memory, config.units + len(REWARDS) + 1)

    def encode(
        self, frames: Float[Tensor, "batch *frame"]
    ) -> Float[Tensor, "batch group code"]:
        """Return the probabilities of the frames' codes."""
        return self.encoder(frames)

    def codes(
        self, frames: Float[Tensor, "batch *frame"]
    ) -> Float[Tensor, "batch units"]:
        """Return the most likely code of each group, as one-hot vectors in one row."""
        best = self.encode(frames).argmax(dim=-1)
        return F.one_hot(best, self.config.codes).float().flatten(start_dim=1)

    def decode(
        self, codes: Float[Tensor, "batch units"]
    ) -> Float[Tensor, "batch *frame"]:
        """Return frames, brightness from 0 to 1."""
        return torch.sigmoid(self.decoder(codes))

    def empty(self, games: int) -> Float[Tensor, "game memory"]:
        """Return the memory at the beginning of an episode."""
        return self.head.weight.new_zeros(games, self.config.memory)

    def remember(
        self,
        memory: Float[Tensor, "game memory"],
        codes: Float[Tensor, "game units"],
        actions: Int[Tensor, "game"],
    ) -> Float[Tensor, "game memory"]:
        """Return the memory after a frame and the action chosen there."""
        return self.recurrent(self._inputs(codes, actions), memory)

    def read(
        self,
        codes: Float[Tensor, "time batch units"],
        actions: Int[Tensor, "time batch"],
    ) -> Float[Tensor, "time batch memory"]:
        """Return the memory after each frame and action of whole windows, which begin
        with an empty memory.
        """
        from_input = self.recurrent.from_input(self._inputs(codes, actions))
        memory, memories = self.empty(actions.shape[1]), []
        for step in from_input:
            memory = self.recurrent.step(step, memory)
            memories.append(memory)
        return torch.stack(memories)

    def predict(self, memory: Float[Tensor, "*batch memory"]) -> WorldPrediction:
        """Return the prediction after the last action in memory."""
        sizes = [self.config.units, len(REWARDS), 1]
        predicted = self.head(F.silu(self.body(memory)))
        codes, rewards, end = predicted.split(sizes, dim=-1)
        groups = codes.unflatten(-1, (self.config.groups, self.config.codes))
        return WorldPrediction(groups, rewards, end.squeeze(-1))

    def _inputs(
        self,
        codes: Float[Tensor, "*batch units"],
        actions: Int[Tensor, "*batch"],
    ) -> Float[Tensor, "*batch memory"]:
        pressed = F.one_hot(actions, self.config.actions).to(codes)
        return F.silu(self.input(torch.cat([codes, pressed], dim=-1)))
