"""Embeddings of frames: the frame's number, the motion, and the product of motion and
time.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional


def frame_times(frames: int) -> Float[Tensor, "frame"]:
    """Return the time of each frame, from -1 for the first frame to 1 for the last.

    >>> frame_times(5)
    tensor([-1.0000, -0.5000,  0.0000,  0.5000,  1.0000])
    """
    return torch.linspace(-1, 1, frames)


class FrameEmbedding(nn.Module):
    """The embedding of each frame: its number, the motion, and motion × time.

    The object's position in a frame is its position in the middle of the clip plus
    velocity × time, a product. A network that gets the sum of one vector for the motion
    and one for the frame's number has to learn to multiply; here the product is an
    input.

    Args:
        frames: The number of frames of a clip.
        motion_width: The number of features of a motion.
        width: The number of features of the result.
        product: Whether to include motion × time; otherwise, the embeddings of the
            motion and of the frame's number are only added.

    >>> embedding = FrameEmbedding(frames=3, motion_width=2, width=4)
    >>> embedding(torch.randn(5, 2)).shape
    torch.Size([5, 3, 4])
    """

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

    Args:
        vocab_size: The number of tokens.
        width: The number of features of the result.
    """

    def __init__(self, vocab_size: int, width: int):
        super().__init__()
        self.words = nn.Embedding(vocab_size, width)
        self.hidden = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(
        self, ids: Int[Tensor, "batch token"], mask: Bool[Tensor, "batch token"]
    ) -> Float[Tensor, "batch width"]:
        """Return the vector of each motion.

        Args:
            ids: The tokens of each text.
            mask: True for the words that describe the motion; a text without such words
                leaves the motion unspecified.
        """
        words = (self.words(ids) * mask[..., None]).sum(dim=1)
        return self.output(functional.silu(self.hidden(words)))
