"""The representation: frames as categorical codes, and back.

A frame is represented by one code from each of several groups. The world model predicts
codes rather than pixels, because it can give several codes a probability, where an
average of pixels would be blurred.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F


def mix_uniform(
    logits: Float[Tensor, "*batch code"], share: float
) -> Float[Tensor, "*batch code"]:
    """Return the probabilities of logits, with a share of the uniform distribution.

    Source: Hafner et al., Mastering Diverse Domains through World Models, section
        "World model learning", https://arxiv.org/abs/2301.04104
    """
    return (1 - share) * F.softmax(logits, dim=-1) + share / logits.shape[-1]


def straight_through(
    probabilities: Float[Tensor, "*batch code"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*batch code"]:
    """Draw a one-hot code whose gradient is that of its probabilities.

    Source: Bengio et al., Estimating or Propagating Gradients Through Stochastic
    Neurons, https://arxiv.org/abs/1308.3432

    >>> probabilities = torch.tensor([[0.0, 1.0]], requires_grad=True)
    >>> code = straight_through(probabilities)
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


class CategoricalEncoder(nn.Module):
    """Reads the probabilities of a frame's codes from its pixels.

    Args:
        frame: The shape of a frame.
        hidden: The width of the hidden layer.
        uniform: See `mix_uniform`.
    """

    def __init__(
        self,
        frame: tuple[int, ...],
        groups: int,
        codes: int,
        hidden: int,
        uniform: float,
    ):
        super().__init__()
        self.shape, self.uniform = (groups, codes), uniform
        self.hidden = nn.Linear(math.prod(frame), hidden)
        self.to_codes = nn.Linear(hidden, groups * codes)

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
