"""AnimateDiff's motion module: the temporal layer that practitioners load."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import MultiHeadAttention


class MotionModule(nn.Module):
    """A Transformer layer over the frames at each place, between two linear layers.

    It differs from `TemporalAttention`: the group norm covers all frames of a clip,
    positions are sinusoidal, there is a feed-forward layer, and the layer is not
    conditioned on the caption.

    Args:
        channels: The number of channels of the feature maps.

    Source: Guo et al., AnimateDiff, section 4.2, https://arxiv.org/abs/2307.04725

    >>> layer = MotionModule(channels=8, heads=2, groups=4)
    >>> clip = torch.randn(2, 3, 8, 4, 4)
    >>> torch.equal(layer(clip), clip)  # untrained
    True
    """

    def __init__(self, channels: int, heads: int, groups: int = 32):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.enter = nn.Linear(channels, channels)
        self.attention_norm = nn.LayerNorm(channels)
        self.attention = MultiHeadAttention(channels, heads, causal=False)
        # unlike queries, keys and values, the output has a bias
        self.attention.output = nn.Linear(channels, channels)
        self.feed_forward_norm = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, 8 * channels)
        self.narrow = nn.Linear(4 * channels, channels)
        self.leave = nn.Linear(channels, channels)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, x: Float[Tensor, "batch frame channel height width"]
    ) -> Float[Tensor, "batch frame channel height width"]:
        """Add the output of the layer to the input."""
        normed = self.norm(x.transpose(1, 2))  # over the frames too
        by_place = normed.permute(0, 3, 4, 2, 1)  # batch height width frame channel
        tokens = self.enter(by_place.flatten(0, 2))
        positions = _positions(x.shape[1], x.shape[2]).to(x)
        tokens = tokens + self.attention(self.attention_norm(tokens) + positions)
        values, gates = self.widen(self.feed_forward_norm(tokens)).chunk(2, dim=-1)
        tokens = tokens + self.narrow(values * functional.gelu(gates))
        return x + self.leave(tokens).view(by_place.shape).permute(0, 3, 4, 1, 2)


def _positions(frames: int, width: int) -> Float[Tensor, "frame width"]:
    """Return interleaved sines and cosines, in the order of Vaswani et al."""
    angles = torch.arange(frames)[:, None] * torch.exp(
        -torch.arange(0, width, 2) * (torch.log(torch.tensor(10_000.0)) / width)
    )
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)
