"""ALiBi (attention with linear biases): positions enter only as a penalty on the
attention scores, which grows with the distance between query and key.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def alibi_slopes(
    heads: int, device: torch.device | None = None
) -> Float[Tensor, "head"]:
    """Return each head's slope: the penalty per position of distance.

    Source: Press et al., Train Short, Test Long, section 3,
        https://arxiv.org/abs/2108.12409
    """
    if heads < 1:
        raise ValueError(f"heads must be at least 1, got {heads}.")
    power = 2 ** math.floor(math.log2(heads))
    exponents = [8 * head / power for head in range(1, power + 1)]
    exponents += [4 * head / power for head in range(1, 2 * power, 2)]
    return 2.0 ** -torch.tensor(exponents[:heads], device=device)


def alibi_bias(
    heads: int, length: int, device: torch.device | None = None
) -> Float[Tensor, "head query key"]:
    """Return the bias that each head adds to its scores: minus the slope times the
    distance, and 0 for keys after the query.

    Source: Press et al., Train Short, Test Long, figure 3,
    https://arxiv.org/abs/2108.12409

    >>> alibi_bias(heads=1, length=3) * 256  # the only head's slope is 1/256
    tensor([[[ 0.,  0.,  0.],
             [-1.,  0.,  0.],
             [-2., -1.,  0.]]])
    """
    positions = torch.arange(length, device=device)
    return distance_bias(alibi_slopes(heads, device), positions, positions)


def distance_bias(
    slopes: Float[Tensor, "head"],
    query_positions: Int[Tensor, "*batch query"],
    key_positions: Int[Tensor, "*batch key"],
) -> Float[Tensor, "*batch head query key"]:
    """Return ALiBi's bias for queries and keys at arbitrary positions."""
    behind = (key_positions[..., None, :] - query_positions[..., :, None]).clamp(max=0)
    return slopes[:, None, None] * behind[..., None, :, :]
