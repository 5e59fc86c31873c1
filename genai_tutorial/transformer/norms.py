"""Normalization: keeps activations at a constant scale throughout a deep network.

`LayerNorm` comes from PyTorch; `RMSNorm` is the simpler variant that most of today's
language models use.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

NormKind = Literal["layer", "rms"]


class RMSNorm(nn.Module):
    """Root mean square normalization: divides each vector by its root mean square, then
    multiplies each feature by a learned gain.

    Unlike LayerNorm it subtracts no mean and adds no bias.

    Args:
        width: The number of features in a vector.
        epsilon: Added under the square root, so that a zero vector stays zero.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, equation 4,
    https://arxiv.org/abs/1910.07467

    >>> RMSNorm(2)(torch.tensor([3.0, 4.0])).detach()  # root mean square 3.5355
    tensor([0.8485, 1.1314])
    """

    def __init__(self, width: int, epsilon: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(
        self, x: Float[Tensor, "*batch width"]
    ) -> Float[Tensor, "*batch width"]:
        """Return the normalized vectors, times the gain."""
        # Squares of 16-bit numbers have too few digits to be averaged, so such vectors
        # are normalized in 32 bits.
        wide = x.float() if x.dtype.itemsize < 4 else x
        mean_square = wide.square().mean(dim=-1, keepdim=True)
        return (wide * torch.rsqrt(mean_square + self.epsilon)).to(
            x.dtype
        ) * self.weight
