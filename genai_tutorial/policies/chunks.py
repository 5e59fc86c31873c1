"""Action chunks: several future moves as one target, and their average."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def make_chunks(
    moves: Float[Tensor, "time number"], length: int
) -> tuple[Float[Tensor, "time length number"], Bool[Tensor, "time length"]]:
    """Return at each time of one episode the moves from there on, and which of them the
    episode has; after its end, moves are zero.

    Raises:
        ValueError: If `length` is below 1.

    >>> chunks, inside = make_chunks(torch.tensor([[1.0], [2.0], [3.0]]), 2)
    >>> chunks[:, :, 0]
    tensor([[1., 2.],
            [2., 3.],
            [3., 0.]])
    >>> inside[-1]
    tensor([ True, False])
    """
    if length < 1:
        raise ValueError(f"A chunk has at least one move, got length {length}.")
    time = torch.arange(len(moves), device=moves.device)
    later = time[:, None] + torch.arange(length, device=moves.device)
    inside = later < len(moves)
    chunks = moves[later.clamp(max=len(moves) - 1)]
    return torch.where(inside[:, :, None], chunks, 0.0), inside


def temporal_ensemble(
    chunks: Sequence[Float[Tensor, "batch length number"]], rate: float = 0.01
) -> Float[Tensor, "batch number"]:
    """Average all predictions of the present move. The oldest has weight 1, each newer
    one the weight of the one before times exp(-rate).

    Args:
        chunks: The chunks predicted at all steps until now, oldest first.

    Raises:
        ValueError: If there is no chunk.

    Source: Zhao et al., Learning Fine-Grained Bimanual Manipulation with Low-Cost
        Hardware, section IV.A, https://arxiv.org/abs/2304.13705

    >>> old, new = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[3.0], [9.0]]])
    >>> temporal_ensemble([old, new], rate=0.0)
    tensor([[2.]])
    """
    if not chunks:
        raise ValueError("Give at least one chunk.")
    recent = chunks[-chunks[0].shape[1] :]
    votes = [chunk[:, len(recent) - 1 - k] for k, chunk in enumerate(recent)]
    weights = torch.exp(-rate * torch.arange(len(votes), dtype=votes[0].dtype))
    total = sum(weight * vote for weight, vote in zip(weights, votes, strict=True))
    return total / weights.sum()
