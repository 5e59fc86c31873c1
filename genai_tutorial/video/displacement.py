"""Shifting frames to compensate for motion, so that a moving object stays in place."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .frame_embedding import frame_times


class Displacement(nn.Module):
    """The displacement of the object in each frame: velocity × time, where the velocity
    is predicted from the encoded motion.

    Nobody tells the layer how fast "fast" is. It learns that from the loss: frames that
    are shifted by the right amount show the object in the same place, which helps to
    denoise them.

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
        x: The frames, or their feature maps.
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
