"""Attention: each query takes an average of the values, weighted by how well their keys
match it.

`attention` is the equation, to be read. `fused_attention` gets the same numbers from
torch's kernel, which never stores the table of weights.
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
    """Return the attention weights, how much each query takes from each key: rows of
    positive numbers that sum to one.

    Args:
        query: What each position asks for.
        key: What each position offers to be found by; fewer heads (the third dimension
            from the end) than `query` has serve a group of its heads each.
        mask: True where a query may see a key; None lets every query see every key. A
            row of nothing gets zeros.
        bias: What is added to the scores, such as ALiBi's penalty for distance.

    Source: Vaswani et al., Attention Is All You Need, equation 1,
    https://arxiv.org/abs/1706.03762
    """
    # A sum of dim products has a standard deviation of sqrt(dim): dividing keeps the
    # softmax from saturating.
    scores = (
        query @ share_heads(key, query).transpose(-2, -1) / math.sqrt(query.shape[-1])
    )
    if bias is not None:
        scores = scores + bias
    if mask is None:
        return scores.softmax(dim=-1)
    # Where nothing may be seen, softmax divides zero by zero; the second filling makes
    # that zero, and its gradient too.
    return scores.masked_fill(~mask, -torch.inf).softmax(dim=-1).masked_fill(~mask, 0.0)


def attention(
    query: Float[Tensor, "*batch query dim"],
    key: Float[Tensor, "*shared key dim"],
    value: Float[Tensor, "*shared key value_dim"],
    mask: Bool[Tensor, "*#batch #query #key"] | None = None,
    bias: Float[Tensor, "*#batch #query #key"] | None = None,
) -> Float[Tensor, "*batch query value_dim"]:
    """Scaled dot-product attention: for each query, the average of the values, weighted
    by how well their keys fit.

    Args:
        query: What each position asks for.
        key: What each position offers to be found by; fewer heads than `query` has
            serve a group of its heads each.
        value: What each position hands over when it is found; as many heads as `key`.
        mask: True where a query may see a key; None lets every query see every key. Who
            sees nothing gets zeros.
        bias: What is added to the scores, such as ALiBi's penalty for distance.

    Source: Vaswani et al., Attention Is All You Need, equation 1,
        https://arxiv.org/abs/1706.03762; Ainslie et al., GQA, section 2.2 (grouped
        queries), https://arxiv.org/abs/2305.13245

    >>> same = torch.zeros(
    ...     2, 4
    ... )  # all keys fit equally, so the second position averages both values
    >>> attention(
    ...     same, same, torch.tensor([[2.0], [4.0]]), torch.ones(2, 2).tril().bool()
    ... )
    tensor([[2.],
            [3.]])
    """
    return attention_weights(query, key, mask, bias) @ share_heads(value, query)


def share_heads(
    shared: Float[Tensor, "*shared key dim"],
    query: Float[Tensor, "*batch query query_dim"],
) -> Float[Tensor, "*batch key dim"]:
    """Repeat each head of keys or values for the group of query heads that share it.

    Raises:
        ValueError: If the heads of the queries cannot be split into equal groups.
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
    """Return the same as `attention`, by torch's kernel: less memory, and faster for
    long texts.

    Args:
        query: See `attention`, as for the next four.
        key: Fewer heads than `query` has serve a group each.
        value: As many heads as `key`.
        mask: True where a query may see a key.
        bias: What is added to the scores.
        is_causal: Applies the causal mask, without a table; not together with `mask` or
            `bias`.

    Source: Dao, FlashAttention-2, algorithm 1, https://arxiv.org/abs/2307.08691
    """
    if bias is not None:
        mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    shared = key.shape[1] != query.shape[1]
    same_for_heads = mask is None or mask.dim() < 3 or mask.shape[-3] == 1
    if shared and query.shape[2] == 1 and same_for_heads:
        # One new token: the heads of a group can stand in line as if they were queries,
        # and no key is copied.
        grouped = query.reshape(query.shape[0], key.shape[1], -1, query.shape[3])
        mixed = functional.scaled_dot_product_attention(
            grouped, key, value, attn_mask=mask
        )
        return mixed.reshape(*query.shape[:3], value.shape[3])
    return functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=is_causal, enable_gqa=shared
    )
