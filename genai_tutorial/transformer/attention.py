"""Attention: each query receives an average of the values, weighted by how well their
keys match it.

`attention` follows the equation and is meant to be read. `fused_attention` computes the
same result with PyTorch's fused kernel, which never stores the attention weights.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional


def attention_weights(
    query: Float[Tensor, "*batch query dim"],
    key: Float[Tensor, "*shared key dim"],
    mask: Bool[Tensor, "*#batch #query #key"] | None = None,
    bias: Float[Tensor, "*#batch #query #key"] | None = None,
) -> Float[Tensor, "*batch query key"]:
    """Return the attention weights: the softmax of the scaled products of queries and
    keys, one row per query.

    Args:
        key: The keys. They may have fewer heads (the third dimension from the end) than
            the queries; each is then shared by a group of query heads.
        mask: True where a query may attend to a key; None for all pairs. A query that
            may attend to no key gets weights of zero.
        bias: Added to the scores, for example ALiBi's distance penalty.

    Source: Vaswani et al., Attention Is All You Need, equation 1,
    https://arxiv.org/abs/1706.03762
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
        key: The keys. They may have fewer heads than the queries; each is then shared
            by a group of query heads.
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
        query: This and the next four arguments are those of `attention`.
        key: May have fewer heads than `query`.
        value: As many heads as `key`.
        mask: True where a query may attend to a key.
        bias: Added to the scores.
        is_causal: Whether to apply the causal mask without storing it; cannot be
            combined with `mask` or `bias`.

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
