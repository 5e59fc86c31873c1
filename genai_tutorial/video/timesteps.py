"""Timesteps for clips: later ones, because a clip survives more noise than a picture
does.
"""

from jaxtyping import Float
from torch import Tensor


def shift_timesteps(
    timesteps: Float[Tensor, "batch"], length: int, shift: float | int
) -> Float[Tensor, "batch"]:
    """Move timesteps towards pure noise.

    What frames have in common, such as the place of an object, can still be seen in
    their average where each of them alone shows nothing. So most of what is new in a
    clip is decided at timesteps where a picture is nearly pure noise. For m times as
    many numbers that say the same, the source derives the shift √m.

    Args:
        timesteps: Timesteps from 0 to `length` - 1.
        length: The number of timesteps of the schedule.
        shift: 1 changes nothing; 2 moves the middle to two thirds.

    Raises:
        ValueError: If `shift` is not above 0.

    Source: Esser et al., Scaling Rectified Flow Transformers, section 5.3.2, equation
        23, https://arxiv.org/abs/2403.03206

    >>> import torch
    >>> shift_timesteps(torch.tensor([0.0, 500.0, 999.0]), length=1000, shift=3)
    tensor([  0., 750., 999.])
    """
    if not shift > 0:
        raise ValueError(f"shift must be above 0, got {shift}.")
    return (shift * timesteps / (1 + (shift - 1) * timesteps / length)).floor()
