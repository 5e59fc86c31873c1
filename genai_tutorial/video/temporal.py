"""Attention over the frames of a clip: factorized, one place at a time, or full
(joint), all places of all frames at once.

The output of both is added to the features of an image network. Their last layer is
initialized to zero, so that an untrained layer changes nothing.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import MultiHeadAttention

from .displacement import move_frames


class TemporalAttention(nn.Module):
    """Factorized attention: each place attends to the same place in the other frames.

    Attention ignores the order of its tokens. So each frame has an embedding, which is
    projected and added to the features.

    A moving object is at a different place in each frame. Given the displacement, the
    layer shifts the frames back first, so that each place shows the same part of the
    object in all frames: attention along a trajectory.

    Args:
        channels: The number of channels of the feature maps.
        frame_width: The number of features of a frame's embedding.
        groups: The number of groups of the group norm, applied to each frame alone.

    Source: Ho et al., Video Diffusion Models, section 3,
        https://arxiv.org/abs/2204.03458; Blattmann et al., Align your Latents, section
        3.1, https://arxiv.org/abs/2304.08818; Patrick et al., Keeping Your Eye on the
        Ball: Trajectory Attention in Video Transformers,
        https://arxiv.org/abs/2106.05392

    >>> layer = TemporalAttention(channels=8, heads=2, frame_width=6)
    >>> clip = torch.randn(2, 3, 8, 4, 4)
    >>> torch.equal(layer(clip, torch.randn(2, 3, 6)), clip)  # untrained
    True
    """

    def __init__(self, channels: int, heads: int, frame_width: int, groups: int = 8):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.frame = nn.Linear(frame_width, channels)
        self.attention = MultiHeadAttention(channels, heads, bias=True, causal=False)
        _start_at_zero(self.attention)

    def forward(
        self,
        x: Float[Tensor, "batch frame channel height width"],
        frames: Float[Tensor, "batch frame features"],
        displacement: Float[Tensor, "batch frame 2"] | None = None,
    ) -> Float[Tensor, "batch frame channel height width"]:
        """Add the attention output to the input.

        Args:
            x: The feature map of each frame.
            displacement: The displacement of the object in each frame, as `move_frames`
                takes it; None for no shift.
        """
        tokens = _normalize(self.norm, x)
        if displacement is not None:
            tokens = move_frames(tokens, -displacement)
        tokens = tokens + self.frame(frames)[..., None, None]
        by_place = tokens.permute(0, 3, 4, 1, 2)  # batch height width frame channel
        attended = self.attention(by_place.flatten(0, 2)).view(by_place.shape)
        attended = attended.permute(0, 3, 4, 1, 2)
        if displacement is not None:
            attended = move_frames(attended, displacement)
        return x + attended


class SpaceTimeAttention(nn.Module):
    """Full attention: each place of each frame attends to all places of all frames.

    Source: Bertasius et al., Is Space-Time Attention All You Need for Video
        Understanding?, section 3, https://arxiv.org/abs/2102.05095
    """

    def __init__(
        self, channels: int, heads: int, frame_width: int, side: int, groups: int = 8
    ):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.places = nn.Parameter(torch.randn(side, side, frame_width))
        self.frame = nn.Linear(frame_width, frame_width)
        self.position = nn.Linear(frame_width, channels)
        self.attention = MultiHeadAttention(channels, heads, bias=True, causal=False)
        _start_at_zero(self.attention)

    def forward(
        self,
        x: Float[Tensor, "batch frame channel height width"],
        frames: Float[Tensor, "batch frame features"],
    ) -> Float[Tensor, "batch frame channel height width"]:
        """Add the attention output to the input, as `TemporalAttention` does."""
        tokens = _normalize(self.norm, x).permute(0, 1, 3, 4, 2)
        tokens = tokens + self.positions(frames)
        attended = self.attention(tokens.flatten(1, 3)).view(tokens.shape)
        return x + attended.permute(0, 1, 4, 2, 3)

    def positions(
        self, frames: Float[Tensor, "batch frame features"]
    ) -> Float[Tensor, "batch frame height width channel"]:
        """Return the position embedding of each place of each frame."""
        both = self.places + self.frame(frames)[:, :, None, None]
        return self.position(functional.silu(both))


def _normalize(
    norm: nn.GroupNorm, x: Float[Tensor, "batch frame channel height width"]
) -> Float[Tensor, "batch frame channel height width"]:
    """Normalize each frame separately."""
    return norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def _start_at_zero(attention: MultiHeadAttention) -> None:
    """Initialize the last layer to zero, so that the untrained layer adds nothing."""
    nn.init.zeros_(attention.output.weight)
    nn.init.zeros_(attention.output.bias)
