"""Paths from a start below to a goal above, round a disc on one of its sides."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

POINTS = 16
RADIUS = 0.3
"""The radius of the obstacle, whose centre is (0, 0)."""


def draw_paths(
    count: int, share_left: float, generator: torch.Generator
) -> tuple[Float[Tensor, "path 16 2"], Float[Tensor, "path 1"]]:
    """Return demonstrated paths from (start, -1) to (0, 1), and their starts.

    A path bends by 0.5 to 0.65 to its side, with noise of 0.01 at each point.

    Raises:
        ValueError: If `share_left` is not from 0 to 1.
    """
    if not 0 <= share_left <= 1:
        raise ValueError(f"share_left must be from 0 to 1, got {share_left}.")

    def uniform() -> Tensor:
        return torch.rand(count, 1, generator=generator)

    side = torch.where(uniform() < share_left, -1.0, 1.0)
    start, bend = 0.4 * uniform() - 0.2, (0.5 + 0.15 * uniform()) * side
    t = torch.linspace(0, 1, POINTS)
    x = start * (1 - t) + bend * torch.sin(math.pi * t)
    paths = torch.stack([x, (2 * t - 1).expand(count, -1)], dim=2)
    return paths + 0.01 * torch.randn(paths.shape, generator=generator), start


def crashes(paths: Float[Tensor, "path point 2"]) -> Bool[Tensor, "path"]:
    """Return which paths touch the obstacle, also between their points.

    >>> crashes(torch.tensor([[[0.0, -1.0], [0.0, 1.0]], [[1.0, -1.0], [1.0, 1.0]]]))
    tensor([ True, False])
    """
    here, there = paths[:, :-1, None], paths[:, 1:, None]
    share = torch.linspace(0, 1, 11, device=paths.device)[:, None]
    between = here + (there - here) * share
    return (between.norm(dim=3) < RADIUS).any(dim=(1, 2))
