"""The pitches that sound in a grid, including held notes."""

import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial.data import HOLD, REST

SILENT = -1
"""The pitch of a voice that rests."""


def sounding(cells: Int[Tensor, "*piece step"]) -> Int[Tensor, "*piece step"]:
    """Return the pitch that sounds at each step, `SILENT` for rests and for notes that
    are held from before the first step.
    """
    steps = torch.arange(cells.shape[-1], device=cells.device).expand(cells.shape)
    begun = torch.where(cells == HOLD, -1, steps).cummax(dim=-1).values
    pitches = cells.gather(-1, begun.clamp(min=0))
    return pitches.masked_fill((pitches == REST) | (begun < 0), SILENT)
