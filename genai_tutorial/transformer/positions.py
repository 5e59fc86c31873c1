"""Positions: attention sees a set of vectors, so the order of the tokens has to be written into them.

Two ways are here. GPT-2 adds a learned vector for each position to the token's embedding. Today's models
rotate queries and keys by an angle that grows with the position, so that their product depends on the distance.
"""

import torch
from jaxtyping import Float
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

    def forward(self, x: Float[Tensor, "batch position width"]) -> Float[Tensor, "batch position width"]:
        """Adds to each vector the one that belongs to its position."""
        return x + self.weight[: x.shape[1]]


class RotaryEmbedding(nn.Module):
    """Turns each pair of features of a query or key by the angle position x frequency.

    Feature i is paired with feature i + head_width/2; pair i turns at frequency base^(-2i/head_width),
    so the first pair turns fast and tells neighbours apart, and the last turns slowly and tells far from near.

    Args:
        head_width: The number of features of a query, an even number.
        context_length: The number of positions to prepare angles for.
        base: Sets the slowest frequency.

    Raises:
        ValueError: If `head_width` is odd.

    Source: Su et al., RoFormer, equation 34, https://arxiv.org/abs/2104.09864
    """

    def __init__(self, head_width: int, context_length: int, base: float = 10_000.0):
        super().__init__()
        if head_width % 2:
            raise ValueError(f"head_width must be even, because features are rotated in pairs; got {head_width}.")
        # float64, so that the angles of far positions are exact before they are stored as float32.
        frequencies = base ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
        angles = torch.outer(torch.arange(context_length, dtype=torch.float64), frequencies)
        # Not persistent: they follow from the settings, so a checkpoint need not carry them.
        self.register_buffer("cosines", angles.cos().float(), persistent=False)
        self.register_buffer("sines", angles.sin().float(), persistent=False)

    def forward(self, x: Float[Tensor, "*batch position dim"]) -> Float[Tensor, "*batch position dim"]:
        """Rotates queries or keys; their lengths stay as they are."""
        cosines, sines = self.cosines[: x.shape[-2]], self.sines[: x.shape[-2]]
        first, second = x.chunk(2, dim=-1)
        return torch.cat((first * cosines - second * sines, first * sines + second * cosines), dim=-1)
