"""The positions of ball and paddle, read from the pixels of real or dreamed frames."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .world import BALL, PADDLE, SIZE


@dataclass(frozen=True)
class Positions:
    """The positions of ball and paddle in frames.

    Attributes:
        x: Column of the ball's left edge.
        y: Row of the ball's upper edge.
        paddle: Column of the paddle's left edge.
        complete: True if the frame shows exactly one ball and one paddle; if not, the
            positions are those of the first bright pixels, 0 if there are none.
    """

    x: Int[Tensor, "*batch"]
    y: Int[Tensor, "*batch"]
    paddle: Int[Tensor, "*batch"]
    complete: Bool[Tensor, "*batch"]


def read_positions(frames: Float[Tensor, "*batch 16 16"]) -> Positions:
    """Find ball and paddle in frames; pixels above 0.5 count as white.

    >>> frame = torch.zeros(16, 16)
    >>> frame[3:5, 7:9] = 1
    >>> frame[15, 2:6] = 1
    >>> positions = read_positions(frame)
    >>> int(positions.x), int(positions.y), int(positions.paddle)
    (7, 3, 2)
    """
    bright = frames > 0.5
    above, floor = bright[..., :-1, :], bright[..., -1, :]
    x, y, paddle = (
        line.to(torch.uint8).argmax(dim=-1)
        for line in (above.any(dim=-2), above.any(dim=-1), floor)
    )
    return Positions(x, y, paddle, (draw(x, y, paddle) == bright).all(-1).all(-1))


def draw(
    x: Int[Tensor, "*batch"], y: Int[Tensor, "*batch"], paddle: Int[Tensor, "*batch"]
) -> Bool[Tensor, "*batch 16 16"]:
    """Draw the frames with ball and paddle at these positions."""
    place = torch.arange(SIZE, device=x.device)
    x, y, paddle = (value[..., None] for value in (x, y, paddle))
    columns = (place >= x) & (place < x + BALL)
    rows = (place >= y) & (place < y + BALL)
    frames = rows[..., :, None] & columns[..., None, :]
    frames[..., -1, :] = (place >= paddle) & (place < paddle + PADDLE)
    return frames
