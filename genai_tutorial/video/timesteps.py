"""Training timesteps for video, concentrated on intermediate noise levels."""

import torch
from jaxtyping import Float
from torch import Tensor


def logit_normal_timesteps(
    count: int,
    length: int,
    mean: float | int,
    deviation: float | int,
    generator: torch.Generator,
) -> Float[Tensor, "count"]:
    """Draw timesteps whose logits are normally distributed: few near clean images, few
    near pure noise, and most in between.

    Near the clean end there is little to learn for an inflated image model, which
    already draws sharp edges; at the other end, even all frames together show
    nothing.

    Args:
        length: The number of timesteps of the schedule.
        mean: The mean of the logit; 0 puts the median in the middle of the schedule, a
            positive number closer to pure noise.
        deviation: The standard deviation of the logit; about 1.7 is nearly uniform.

    Raises:
        ValueError: If `deviation` is not above 0.

    Source: Esser et al., Scaling Rectified Flow Transformers, section 3.1, equation 19,
        https://arxiv.org/abs/2403.03206

    >>> generator = torch.Generator().manual_seed(0)
    >>> t = logit_normal_timesteps(1000, 1000, 0.7, 1.0, generator)
    >>> bool(650 < t.median() < 690)
    True
    """
    if not deviation > 0:
        raise ValueError(f"deviation must be above 0, got {deviation}.")
    logits = mean + deviation * torch.randn(count, generator=generator)
    return (length * torch.sigmoid(logits)).floor().clamp(0, length - 1)
