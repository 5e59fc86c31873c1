"""Embeddings of frames: the frame's number, the motion, and the product of motion and
time.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional


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
