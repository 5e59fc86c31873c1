"""Attention: each position looks back over the sequence and takes a weighted average of what it finds.

`attention` is the equation, to be read. `MultiHeadAttention` calls torch's fused kernel for the same numbers, which
never stores the table of weights; `MultiHeadAttention.weights` makes that table when you want to look at it.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer.norms import RMSNorm
from genai_tutorial.transformer.positions import RotaryEmbedding


def causal_mask(length: int, device: torch.device | None = None) -> Bool[Tensor, "query key"]:
    """Says which key each query may see: True at and before its own position, False after it.

    >>> causal_mask(3)
    tensor([[ True, False, False],
            [ True,  True, False],
            [ True,  True,  True]])
    """
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def attention_weights(
    query: Float[Tensor, "*batch query dim"],
    key: Float[Tensor, "*batch key dim"],
    mask: Bool[Tensor, "query key"] | None = None,
) -> Float[Tensor, "*batch query key"]:
    """Returns how much each query takes from each key: rows of numbers that are positive and sum to one.

    Args:
        query: What each position asks for.
        key: What each position offers to be found by.
        mask: True where a query may see a key; None lets every query see every key.

    Source: Vaswani et al., Attention Is All You Need, equation 1, https://arxiv.org/abs/1706.03762
    """
    # A sum of dim products has a standard deviation of sqrt(dim): dividing keeps the softmax from saturating.
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim=-1)


def attention(
    query: Float[Tensor, "*batch query dim"],
    key: Float[Tensor, "*batch key dim"],
    value: Float[Tensor, "*batch key value_dim"],
    mask: Bool[Tensor, "query key"] | None = None,
) -> Float[Tensor, "*batch query value_dim"]:
    """Scaled dot-product attention: for each query, the average of the values, weighted by how well their keys fit.

    Args:
        query: What each position asks for.
        key: What each position offers to be found by.
        value: What each position hands over when it is found.
        mask: True where a query may see a key; None lets every query see every key.

    Source: Vaswani et al., Attention Is All You Need, equation 1, https://arxiv.org/abs/1706.03762

    >>> same = torch.zeros(2, 4)  # all keys fit equally, so the second position averages both values
    >>> attention(same, same, torch.tensor([[2.0], [4.0]]), causal_mask(2))
    tensor([[2.],
            [3.]])
    """
    return attention_weights(query, key, mask) @ value


class MultiHeadAttention(nn.Module):
    """Causal self-attention with several heads, each looking for something else in its own part of the features.

    Args:
        width: The number of features in and out.
        heads: How many heads share them; must divide `width`.
        bias: Whether the four linear layers add a learned constant.
        rotary: Turns queries and keys by their positions; None leaves them.
        query_key_norm: Whether to normalise queries and keys, which bounds the scores and lets training go faster.

    Raises:
        ValueError: If `heads` does not divide `width`.

    Source: Vaswani et al., Attention Is All You Need, section 3.2.2, https://arxiv.org/abs/1706.03762;
        Henry et al., Query-Key Normalization for Transformers, https://arxiv.org/abs/2010.04245
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        bias: bool = False,
        rotary: RotaryEmbedding | None = None,
        query_key_norm: bool = False,
    ):
        super().__init__()
        if width % heads:
            raise ValueError(
                f"heads must divide width, so that every head gets as many features; got {heads=}, {width=}."
            )
        self.heads = heads
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(width, width, bias=bias)
        self.value = nn.Linear(width, width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)
        self.query_norm = RMSNorm(width // heads) if query_key_norm else nn.Identity()
        self.key_norm = RMSNorm(width // heads) if query_key_norm else nn.Identity()
        self.rotary = rotary if rotary is not None else nn.Identity()

    def forward(self, x: Float[Tensor, "batch position width"]) -> Float[Tensor, "batch position width"]:
        """Mixes into each position what its heads find at and before it."""
        query, key, value = self._split(x)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(mixed.transpose(1, 2).flatten(2))  # the heads side by side again

    def weights(self, x: Float[Tensor, "batch position width"]) -> Float[Tensor, "batch head query key"]:
        """Returns the attention maps that `forward` uses and does not keep."""
        query, key, _ = self._split(x)
        return attention_weights(query, key, causal_mask(x.shape[1], x.device))

    def _split(self, x: Float[Tensor, "batch position width"]) -> tuple[Tensor, Tensor, Tensor]:
        """Returns query, key and value, each of shape (batch, head, position, dim)."""
        query, key, value = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        return self.rotary(self.query_norm(query)), self.rotary(self.key_norm(key)), value
