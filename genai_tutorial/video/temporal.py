"""Layers that connect the frames of a video: motion that is followed, attention over
time, and AnimateDiff's motion module.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import MultiHeadAttention


class Displacement(nn.Module):
    """The displacement of the object in each frame: velocity × time, where the velocity
    is a linear function of the encoded motion, zero at first and learned from the loss.
    """

    def __init__(self, frames: int, motion_width: int):
        super().__init__()
        self.frames = frames
        self.velocity = nn.Linear(motion_width, 2, bias=False)
        nn.init.zeros_(self.velocity.weight)

    def forward(
        self, motion: Float[Tensor, "batch motion_width"]
    ) -> Float[Tensor, "batch frame 2"]:
        """Return the displacement in each frame to the right and down, in half image
        widths, relative to the middle of the clip.
        """
        time = frame_times(self.frames).to(motion)
        return time[:, None] * self.velocity(motion)[:, None]

    def pixels_per_frame(
        self, motion: Float[Tensor, "batch motion_width"], image_size: int
    ) -> Float[Tensor, "batch 2"]:
        """Return the learned velocity in pixels per frame, to the right and down."""
        return self.velocity(motion) * image_size / (self.frames - 1)


def move_frames(
    x: Float[Tensor, "batch frame channel height width"],
    displacement: Float[Tensor, "batch frame 2"],
) -> Float[Tensor, "batch frame channel height width"]:
    """Shift the content of each frame, with bilinear interpolation and zero padding.

    Args:
        displacement: To the right and down, in half widths and half heights.

    Source: Jaderberg et al., Spatial Transformer Networks, section 3.3,
        https://arxiv.org/abs/1506.02025

    >>> frame = torch.tensor([[[[[1.0, 2.0, 3.0, 4.0]]]]])
    >>> move_frames(frame, torch.tensor([[[0.5, 0.0]]]))  # by a quarter of the width
    tensor([[[[[0., 1., 2., 3.]]]]])
    """
    height, width = x.shape[3:]
    rows, columns = (
        (torch.arange(size, device=x.device) + 0.5) * 2 / size - 1
        for size in (height, width)
    )
    down, right = torch.meshgrid(rows, columns, indexing="ij")
    here = torch.stack((right, down), dim=2)
    came_from = here - displacement.flatten(0, 1)[:, None, None]
    moved = functional.grid_sample(x.flatten(0, 1), came_from, align_corners=False)
    return moved.view(x.shape)


def frame_times(frames: int) -> Float[Tensor, "frame"]:
    """Return the time of each frame, from -1 for the first frame to 1 for the last."""
    return torch.linspace(-1, 1, frames)


class FrameEmbedding(nn.Module):
    """The embedding of each frame: its number, the motion, and motion × time."""

    def __init__(
        self, frames: int, motion_width: int, width: int, product: bool = True
    ):
        super().__init__()
        self.number = nn.Embedding(frames, width)
        self.motion = nn.Linear(motion_width, width)
        self.motion_by_time = (
            nn.Linear(motion_width, width, bias=False) if product else None
        )

    def forward(
        self, motion: Float[Tensor, "batch motion_width"]
    ) -> Float[Tensor, "batch frame width"]:
        """Return the vector of each frame of each clip."""
        frames = self.number.weight + self.motion(motion)[:, None]
        if self.motion_by_time is None:
            return frames
        time = frame_times(len(self.number.weight)).to(motion)
        return frames + time[:, None] * self.motion_by_time(motion)[:, None]


class MotionEncoder(nn.Module):
    """The encoder of a motion: the sum of its word embeddings, followed by two layers,
    because a velocity is a product too, of direction and speed.
    """

    def __init__(self, vocab_size: int, width: int):
        super().__init__()
        self.words = nn.Embedding(vocab_size, width)
        self.hidden = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(
        self, ids: Int[Tensor, "batch token"], mask: Bool[Tensor, "batch token"]
    ) -> Float[Tensor, "batch width"]:
        """Return the vector of each motion."""
        words = (self.words(ids) * mask[..., None]).sum(dim=1)
        return self.output(functional.silu(self.hidden(words)))


class TemporalAttention(nn.Module):
    """Factorized attention: each position attends to the same position in the other
    frames.

    Attention ignores the order of its tokens. Therefore, each frame has an embedding,
    which is projected and added to the features.

    A moving object is at a different position in each frame. Given the displacement,
    the layer shifts the frames back first, so that each position shows the same part of
    the object in all frames: attention along a trajectory.

    Args:
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
    """Full attention: each position of each frame attends to all positions of all
    frames.

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
        """Return the embedding of each position of each frame."""
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


class MotionModule(nn.Module):
    """A Transformer layer over the frames at each position, between two linear layers.

    It differs from `TemporalAttention`: the group norm covers all frames of a clip,
    positions are sinusoidal, there is a feed-forward layer, and the layer is not
    conditioned on the caption.

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
