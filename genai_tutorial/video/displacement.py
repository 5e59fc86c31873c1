"""Moving frames against each other, so that an object that moves stays in its place."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.video.frame_embedding import frame_times


class Displacement(nn.Module):
    """How far a motion has moved the object by each frame: velocity × time, where the
    velocity is learned from the words of the motion.

    Nobody tells the layer how fast "fast" is. It learns that from the loss: frames that
    are moved by the right amount show the object in the same place, and help to denoise
    each other.

    Args:
        frames: The number of frames of a clip.
        motion_width: The number of features of a motion.

    >>> displacement = Displacement(frames=3, motion_width=4)
    >>> displacement(torch.randn(1, 4)).shape  # at first all zero
    torch.Size([1, 3, 2])
    """

    def __init__(self, frames: int, motion_width: int):
        super().__init__()
        self.frames = frames
        self.velocity = nn.Linear(motion_width, 2, bias=False)
        nn.init.zeros_(self.velocity.weight)

    def forward(
        self, motion: Float[Tensor, "batch motion_width"]
    ) -> Float[Tensor, "batch frame 2"]:
        """Return the displacement of each frame to the right and down, in halves of a
        picture, from its place in the middle of the clip.
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
    """Move the content of each frame, with bilinear interpolation; zeros move in.

    Args:
        x: The frames, or their feature maps.
        displacement: To the right and down, in halves of a frame.

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
