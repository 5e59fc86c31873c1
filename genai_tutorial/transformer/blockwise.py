"""Blockwise attention: exact attention over keys that arrive block by block. Numerator
and denominator of a softmax are kept as running sums; if a later block brings a larger
score, they are scaled down to the new maximum.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .attention import share_heads
from .context import may_see


@dataclass(frozen=True)
class OnlineSoftmax:
    """A softmax-weighted average of values that is updated block by block.

    Attributes:
        maximum: The largest score so far of each query.
        total: The sum of exp(score - maximum).
        weighted: The sum of exp(score - maximum) x value.

    Source: Milakov and Gimelshein, Online Normalizer Calculation for Softmax, algorithm
        3, https://arxiv.org/abs/1805.02867; Rabe and Staats, Self-attention Does Not
        Need O(n²) Memory, section 2, https://arxiv.org/abs/2112.05682

    >>> state = OnlineSoftmax.empty(torch.zeros(1, 1))
    >>> state = state.update(torch.tensor([[0.0]]), torch.tensor([[2.0]]))
    >>> state = state.update(torch.tensor([[0.0]]), torch.tensor([[4.0]]))
    >>> state.output()
    tensor([[3.]])
    """

    maximum: Float[Tensor, "*batch query"]
    total: Float[Tensor, "*batch query"]
    weighted: Float[Tensor, "*batch query dim"]

    @classmethod
    def empty(cls, like: Float[Tensor, "*batch query dim"]) -> "OnlineSoftmax":
        """Return the state before the first block, for outputs of this shape."""
        total = like.new_zeros(like.shape[:-1])
        return cls(total - torch.inf, total, torch.zeros_like(like))

    def update(
        self,
        scores: Float[Tensor, "*batch query key"],
        values: Float[Tensor, "*batch key dim"],
    ) -> "OnlineSoftmax":
        """Return the state after one more block of keys.

        Args:
            scores: The scaled products of queries and keys; minus infinity where a
                query may not attend to a key.
        """
        maximum = torch.maximum(self.maximum, scores.amax(dim=-1))
        # Queries that have seen no key yet have the maximum minus infinity.
        base = maximum.masked_fill(maximum == -torch.inf, 0.0)
        before = (self.maximum - base).exp()
        weights = (scores - base[..., None]).exp()
        return OnlineSoftmax(
            maximum,
            self.total * before + weights.sum(dim=-1),
            self.weighted * before[..., None] + weights @ values,
        )

    def output(self) -> Float[Tensor, "*batch query dim"]:
        """Return the average of all values so far; zeros for queries without a key."""
        return (
            self.weighted
            / self.total.clamp(min=torch.finfo(self.total.dtype).tiny)[..., None]
        )

    def to(self, dtype: torch.dtype) -> "OnlineSoftmax":
        """Return the state in another number format."""
        return OnlineSoftmax(
            self.maximum.to(dtype), self.total.to(dtype), self.weighted.to(dtype)
        )


def blockwise_attention(
    query: Float[Tensor, "*batch query dim"],
    key: Float[Tensor, "*shared key dim"],
    value: Float[Tensor, "*shared key value_dim"],
    block_size: int,
    is_causal: bool = False,
    state_dtype: torch.dtype | None = None,
) -> Float[Tensor, "*batch query value_dim"]:
    """Compute `attention` block by block, never storing more scores than
    `block_size` x `block_size`.

    Args:
        key: The keys; may have fewer heads than the queries.
        block_size: The number of queries, and of keys, in a block.
        is_causal: If true, query i attends only to keys 0 to i.
        state_dtype: The number format of the running sums between blocks; None for the
            queries' format.

    Raises:
        ValueError: If `block_size` is below 1.

    Source: Liu and Abbeel, Blockwise Parallel Transformer, section 3,
        https://arxiv.org/abs/2305.19370
    """
    if block_size < 1:
        raise ValueError(f"block_size must be at least 1, got {block_size}.")
    outputs = []
    for start in range(0, query.shape[-2], block_size):
        block = query[..., start : start + block_size, :]
        state = OnlineSoftmax.empty(block.new_zeros(*block.shape[:-1], value.shape[-1]))
        for first in range(0, key.shape[-2], block_size):
            if is_causal and first >= start + block_size:
                break
            part = slice(first, first + block_size)
            state = update_with_block(
                state, block, key[..., part, :], value[..., part, :],
                (start, first) if is_causal else None,
            )  # fmt: skip
            if state_dtype is not None:
                state = state.to(state_dtype).to(query.dtype)
        outputs.append(state.output())
    return torch.cat(outputs, dim=-2)


def update_with_block(
    state: OnlineSoftmax,
    query: Float[Tensor, "*batch query dim"],
    key: Float[Tensor, "*shared key dim"],
    value: Float[Tensor, "*shared key value_dim"],
    starts: tuple[int, int] | None = None,
) -> OnlineSoftmax:
    """Return the state of some queries after one more block of keys.

    Args:
        starts: The positions of the first query and the first key, for causal
            attention; None if all queries attend to all keys.
    """
    key, value = share_heads(key, query), share_heads(value, query)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if starts is not None:
        queries, keys = (
            start + torch.arange(one.shape[-2], device=one.device)
            for start, one in zip(starts, (query, key), strict=True)
        )
        scores = scores.masked_fill(~may_see(queries, keys), -torch.inf)
    return state.update(scores, value)
