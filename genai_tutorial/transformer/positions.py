"""Positions: attention sees a set of vectors, so the order of the tokens has to be written into them.

GPT-2 adds a learned vector for each position to the token's embedding. Today's models turn queries and keys instead:
see `rotary.py`.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class LearnedPositions(nn.Module):
    """One learned vector for each position of the context.

    Args:
        context_length: The number of positions.
        width: The number of features in a vector.
    """

    def __init__(self, context_length: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(context_length, width))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        positions: slice | Int[Tensor, "batch position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Adds to each vector the one that belongs to its position; without `positions` they are 0, 1, 2 and so on."""
        return x + self.weight[slice(0, x.shape[1]) if positions is None else positions]
