"""Attention: each query receives an average of the values, weighted by how well their
keys match it.

`attention` follows the equation and is meant to be read. `fused_attention` computes the
same result with PyTorch's fused kernel, which never stores the attention weights.
`MultiHeadAttention` is the layer: several heads, each with its own share of the
features.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from .context import AttentionContext, AttentionPattern, causal_mask
from .layers import RMSNorm
from .positions import RotaryEmbedding


def attention_weights(
    query: Float[Tensor, "*batch query dim"],
    key: Float[Tensor, "*shared key dim"],
    mask: Bool[Tensor, "*#batch #query #key"] | None = None,
    bias: Float[Tensor, "*#batch #query #key"] | None = None,
) -> Float[Tensor, "*batch query key"]:
    """Return the attention weights: the softmax of the scaled products of queries and
    keys, one row per query. The arguments are as for `attention`; a query that may
    attend to no key gets weights of zero.
    """
    # A dot product of dim features has a standard deviation of about sqrt(dim);
    # dividing by it keeps the softmax from saturating.
    scores = (
        query @ share_heads(key, query).transpose(-2, -1) / math.sqrt(query.shape[-1])
    )
    if bias is not None:
        scores = scores + bias
    if mask is None:
        return scores.softmax(dim=-1)
    # In a fully masked row softmax divides zero by zero; the second masked_fill turns
    # the result and its gradient into zeros.
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1).masked_fill(~mask, 0.0)


def attention(
    query: Float[Tensor, "*batch query dim"],
    key: Float[Tensor, "*shared key dim"],
    value: Float[Tensor, "*shared key value_dim"],
    mask: Bool[Tensor, "*#batch #query #key"] | None = None,
    bias: Float[Tensor, "*#batch #query #key"] | None = None,
) -> Float[Tensor, "*batch query value_dim"]:
    """Scaled dot-product attention: for each query, the average of the values, weighted
    by how well their keys match it.

    Args:
        key: The keys. They may have fewer heads (the third dimension from the end) than
            the queries; each is then shared by a group of query heads.
        value: The values, with as many heads as `key`.
        mask: True where a query may attend to a key; None for all pairs. A query that
            may attend to no key gets a vector of zeros.
        bias: Added to the scores, for example ALiBi's distance penalty.

    Source: Vaswani et al., Attention Is All You Need, equation 1,
        https://arxiv.org/abs/1706.03762; Ainslie et al., GQA, section 2.2 (grouped
        queries), https://arxiv.org/abs/2305.13245

    >>> same = torch.zeros(2, 4)  # all keys match equally, so values are averaged
    >>> causal = torch.ones(2, 2).tril().bool()
    >>> attention(same, same, torch.tensor([[2.0], [4.0]]), causal)
    tensor([[2.],
            [3.]])
    """
    return attention_weights(query, key, mask, bias) @ share_heads(value, query)


def share_heads(
    shared: Float[Tensor, "*shared key dim"],
    query: Float[Tensor, "*batch query query_dim"],
) -> Float[Tensor, "*batch key dim"]:
    """Repeat each head of keys or values once per query head in its group.

    Raises:
        ValueError: If the query heads cannot be split into equal groups.
    """
    if query.dim() < 3 or query.shape[-3] == shared.shape[-3]:
        return shared
    heads, groups = query.shape[-3], shared.shape[-3]
    if heads % groups:
        raise ValueError(
            f"{heads} query heads cannot share {groups} key/value heads evenly."
        )
    return shared.repeat_interleave(heads // groups, dim=-3)


def fused_attention(
    query: Float[Tensor, "batch head query dim"],
    key: Float[Tensor, "batch shared key dim"],
    value: Float[Tensor, "batch shared key value_dim"],
    mask: Bool[Tensor, "*#batch_and_head #query #key"] | None = None,
    bias: Float[Tensor, "*#batch_and_head #query #key"] | None = None,
    is_causal: bool = False,
) -> Float[Tensor, "batch head query value_dim"]:
    """Compute `attention` with PyTorch's fused kernel, which needs less memory and is
    faster on long sequences.

    Args:
        is_causal: If true, apply the causal mask without storing it; cannot be combined
            with `mask` or `bias`. The other arguments are as for `attention`.

    Source: Dao, FlashAttention-2, algorithm 1, https://arxiv.org/abs/2307.08691
    """
    if bias is not None:
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    shared = key.shape[1] != query.shape[1]
    same_for_heads = mask is None or mask.dim() < 3 or mask.shape[-3] == 1
    if shared and query.shape[2] == 1 and same_for_heads:
        # One new token: the query heads of a group can be treated as several queries of
        # one head, so that no key is copied.
        grouped = query.reshape(query.shape[0], key.shape[1], -1, query.shape[3])
        mixed = functional.scaled_dot_product_attention(
            grouped, key, value, attn_mask=mask
        )
        return mixed.reshape(*query.shape[:3], value.shape[3])
    return functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=is_causal, enable_gqa=shared
    )


class MultiHeadAttention(nn.Module):
    """Attention with several heads: causal self-attention by default.

    Args:
        heads: Must divide `width`, the number of input and output features.
        key_value_heads: Each is shared by a group of query heads; None for `heads`.
        rotary: Rotates queries and keys by their positions; None for no rotation.
        query_key_norm: If true, normalize queries and keys, which bounds the scores and
            allows larger learning rates.
        causal: If true, a position attends only to itself and earlier positions.
        window: The number of positions that a causal query attends to, its own
            included; None for all.
        alibi: If true, penalize distant keys.
        source_width: The number of features of another sequence that supplies keys and
            values (cross-attention, never causal); None for self-attention.
        layer: The index under which a cache stores the layer's keys and values.

    Raises:
        ValueError: If `heads` does not divide `width`, or two settings contradict each
            other.

    Source: Vaswani et al., Attention Is All You Need, section 3.2.2,
        https://arxiv.org/abs/1706.03762; Henry et al., Query-Key Normalization for
        Transformers, https://arxiv.org/abs/2010.04245
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        key_value_heads: int | None = None,
        bias: bool = False,
        rotary: RotaryEmbedding | None = None,
        query_key_norm: bool = False,
        causal: bool = True,
        window: int | None = None,
        alibi: bool = False,
        source_width: int | None = None,
        layer: int = 0,
    ):
        super().__init__()
        key_value_heads = heads if key_value_heads is None else key_value_heads
        if width % heads:
            raise ValueError(
                "heads must divide width, so that all heads get the same number of "
                f"features; got {heads=}, {width=}."
            )
        self.is_cross = source_width is not None
        looks_back = window is not None or alibi
        if (looks_back and not causal) or (self.is_cross and (looks_back or rotary)):
            raise ValueError(
                "window and alibi need causal self-attention, and rotary needs "
                "self-attention: another sequence has no distances to this one's."
            )
        self.heads, self.head_width, self.layer = heads, width // heads, layer
        shared_width = key_value_heads * self.head_width
        source_width = source_width if self.is_cross else width
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(source_width, shared_width, bias=bias)
        self.value = nn.Linear(source_width, shared_width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)
        self.query_norm = RMSNorm(self.head_width) if query_key_norm else None
        self.key_norm = RMSNorm(self.head_width) if query_key_norm else None
        self.rotary = rotary
        self.pattern = AttentionPattern(
            causal=causal and not self.is_cross,
            window=window,
            alibi_heads=heads if alibi else 0,
        )

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
        source: Float[Tensor, "batch key source_width"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Apply attention with all heads and combine their outputs.

        Args:
            context: Masks, positions and cache; None for whole texts.
            source: The other sequence, for cross-attention.

        Raises:
            ValueError: If `source` is missing from cross-attention, or given to
                self-attention.
        """
        context = AttentionContext() if context is None else context
        query, key, value = self.project(x, context, source)
        key, value = context.append(self.layer, key, value)
        query, key = context.rotate_late(self.rotary, query, key)
        mask, bias, is_causal = context.visibility(x, self.pattern)
        mixed = fused_attention(query, key, value, mask, bias, is_causal)
        return self.output(mixed.transpose(1, 2).flatten(2))  # concatenate the heads

    def weights(
        self,
        x: Float[Tensor, "batch position width"],
        context: AttentionContext | None = None,
        source: Float[Tensor, "batch key source_width"] | None = None,
    ) -> Float[Tensor, "batch head position key_position"]:
        """Return the attention weights, which `forward` never stores; does not work
        with a cache.
        """
        context = AttentionContext() if context is None else context
        query, key, _ = self.project(x, context, source)
        mask, bias, is_causal = context.visibility(x, self.pattern)
        if is_causal:
            mask = causal_mask(x.shape[1], x.device)
        return attention_weights(query, key, mask, bias)

    def project(
        self, x: Tensor, context: AttentionContext, source: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, of shape (batch, head, position, dim)."""
        if self.is_cross != (source is not None):
            raise ValueError(
                "Cross-attention needs a source, and self-attention takes no source: "
                "give the layer a source_width to let it attend to another sequence."
            )
        source = x if source is None else source
        projected = (self.query(x), self.key(source), self.value(source))
        query, key, value = (
            features.unflatten(-1, (-1, self.head_width)).transpose(1, 2)
            for features in projected
        )
        if self.query_norm is not None:
            query, key = self.query_norm(query), self.key_norm(key)
        if self.rotary is not None:
            rotation = context.rotation(self.rotary)
            query, key = self.rotary(query, rotation), self.rotary(key, rotation)
        return query, key, value
