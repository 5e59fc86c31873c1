"""Which keys each query attends to: masks (True where it may; combine them with `&`),
ALiBi's distance penalty, and the context of a forward pass.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from .positions import RotaryEmbedding


def causal_mask(
    length: int, device: torch.device | None = None
) -> Bool[Tensor, "query key"]:
    """Return the causal mask: True at and before a query's own position, False after
    it.

    >>> causal_mask(3)
    tensor([[ True, False, False],
            [ True,  True, False],
            [ True,  True,  True]])
    """
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def sliding_window_mask(length: int, window: int) -> Bool[Tensor, "query key"]:
    """Return the causal mask of a sliding window: each query attends to itself and the
    `window - 1` keys before it.

    Raises:
        ValueError: If the window is below 1.

    Source: Jiang et al., Mistral 7B, figure 1, https://arxiv.org/abs/2310.06825

    >>> sliding_window_mask(4, window=2)
    tensor([[ True, False, False, False],
            [ True,  True, False, False],
            [False,  True,  True, False],
            [False, False,  True,  True]])
    """
    return sink_mask(length, 0, window)


def sink_mask(length: int, sinks: int, window: int) -> Bool[Tensor, "query key"]:
    """Return the causal mask of a sliding window with attention sinks: each query
    attends to the first `sinks` keys, to itself and to the `window - 1` keys before it.

    Raises:
        ValueError: If `sinks` is negative, or the window is below 1.

    Source: Xiao et al., Efficient Streaming Language Models with Attention Sinks,
        section 3.2, https://arxiv.org/abs/2309.17453

    >>> sink_mask(5, sinks=1, window=2)
    tensor([[ True, False, False, False, False],
            [ True,  True, False, False, False],
            [ True,  True,  True, False, False],
            [ True, False,  True,  True, False],
            [ True, False, False,  True,  True]])
    """
    check_sinks(sinks, window)
    positions = torch.arange(length)
    return may_see(positions, positions, window, sinks)


def check_sinks(sinks: int, window: int) -> None:
    """Raise a ValueError if a window with attention sinks has impossible sizes."""
    if sinks < 0 or window < 1:
        raise ValueError(
            "sinks must be at least 0, and window at least 1, because a position "
            f"attends to itself; got {sinks=} and {window=}."
        )


def padding_mask(
    lengths: Int[Tensor, "batch"], length: int
) -> Bool[Tensor, "batch 1 1 key"]:
    """Return the mask that hides the padding of rows of `lengths` tokens, right-padded
    to `length`.

    >>> padding_mask(torch.tensor([1, 3]), 3).flatten(1)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    places = torch.arange(length, device=lengths.device)
    return (places < lengths[:, None])[:, None, None]


def document_mask(
    documents: Int[Tensor, "batch position"],
) -> Bool[Tensor, "batch 1 position position"]:
    """Return the mask of packed rows, in which tokens attend only to their own text,
    whose index `documents` gives.

    >>> document_mask(torch.tensor([[5, 5, 6]])).flatten(0, 2)
    tensor([[ True,  True, False],
            [ True,  True, False],
            [False, False,  True]])
    """
    return (documents[:, :, None] == documents[:, None, :])[:, None]


def document_positions(
    documents: Int[Tensor, "batch position"],
) -> Int[Tensor, "batch position"]:
    """Return the positions of tokens in packed rows, restarting at 0 in each text."""
    places = torch.arange(documents.shape[1], device=documents.device)
    starts = functional.pad(documents[:, 1:] != documents[:, :-1], (1, 0))
    return places - (places * starts).cummax(dim=1).values


def may_see(
    query_positions: Int[Tensor, "*batch query"],
    key_positions: Int[Tensor, "*batch key"],
    window: int | None = None,
    sinks: int = 0,
) -> Bool[Tensor, "*batch query key"]:
    """Return the causal mask for queries and keys at the given positions; a negative
    key position marks an empty slot.
    """
    keys = key_positions[..., None, :]
    distances = query_positions[..., :, None] - keys
    seen = (distances >= 0) & (keys >= 0)
    return seen if window is None else seen & ((distances < window) | (keys < sinks))


def alibi_slopes(heads: int, device: torch.device | None) -> Float[Tensor, "head"]:
    """Return each head's slope: the penalty per position of distance.

    Source: Press et al., Train Short, Test Long, section 3,
        https://arxiv.org/abs/2108.12409
    """
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
    return _distance_bias(heads, positions, positions)


def _distance_bias(heads: int, queries: Tensor, keys: Tensor) -> Tensor:
    """Return ALiBi's bias for queries and keys at arbitrary positions."""
    behind = (keys[..., None, :] - queries[..., :, None]).clamp(max=0)
    return alibi_slopes(heads, keys.device)[:, None, None] * behind[..., None, :, :]


@dataclass(frozen=True)
class AttentionPattern:
    """The mask and bias that an attention layer applies to every text.

    Attributes:
        causal: If true, a query attends only to keys at and before its own position.
        window: The number of positions that a causal query attends to, its own
            included; None for all.
        alibi_heads: The number of heads with an ALiBi slope; 0 for no ALiBi.
    """

    causal: bool = True
    window: int | None = None
    alibi_heads: int = 0


Visibility = tuple[Tensor | None, Tensor | None, bool]
"""A mask, a bias and `is_causal`, as `fused_attention` takes them."""


@dataclass
class AttentionContext:
    """The input of a forward pass beyond its tokens, for rows that are no whole texts;
    build it with one of the constructors.

    Attributes:
        mask: True where a query may attend to a key; combined with the layer's own
            causal or window mask.
        positions: The positions of the tokens; None for 0, 1, 2 and so on.
        by_position: If true, distances are measured between positions, not between
            indices in the row.
        cache: The `KVCache` of earlier tokens, which a `CachedContext` has.

    >>> AttentionContext.packed(torch.tensor([[5, 5, 6]])).positions
    tensor([[0, 1, 0]])
    """

    mask: Bool[Tensor, "#batch #head #query #key"] | None = None
    positions: Int[Tensor, "rows query"] | None = None
    by_position: bool = False
    cache: Any = field(default=None, init=False)
    _computed: dict = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def packed(cls, documents: Int[Tensor, "batch position"]) -> "AttentionContext":
        """Return the context of packed rows, which hold several texts one after the
        other: a token attends only to its own text, whose index `documents` gives, and
        positions restart at 0.
        """
        return cls(document_mask(documents), document_positions(documents))

    @classmethod
    def prefixed(cls, documents: Int[Tensor, "batch position"]) -> "AttentionContext":
        """Return the context of rows in which several texts continue the same prefix,
        such as several questions about one image; each is read as if it alone came
        after the prefix.

        Args:
            documents: The index of the text that each token belongs to; 0 for the
                prefix, which comes first and is equally long in all rows.

        >>> context = AttentionContext.prefixed(torch.tensor([[0, 0, 1, 1, 2]]))
        >>> context.positions
        tensor([[0, 1, 2, 3, 2]])
        >>> context.mask[0, 0, 4]  # the keys that the second text's token may attend to
        tensor([ True,  True, False, False,  True])
        """
        is_prefix = documents == 0
        mask = document_mask(documents) | is_prefix[:, None, None, :]
        after = is_prefix.sum(dim=1, keepdim=True) * ~is_prefix
        return cls(mask, document_positions(documents) + after, by_position=True)

    @classmethod
    def padded(cls, lengths: Int[Tensor, "batch"], length: int) -> "AttentionContext":
        """Return the context of rows with `lengths` tokens, right-padded to `length`;
        an encoder needs it, a causal model does not, because padding comes last.
        """
        return cls(padding_mask(lengths, length))

    @classmethod
    def cached(
        cls, cache: Any, lengths: Int[Tensor, "batch"] | None = None
    ) -> "AttentionContext":
        """Return the context of tokens that continue the text in a `KVCache` and are
        appended to it, `lengths` in each row if rows are right-padded; gradients are
        not computed.
        """
        return cache.context(None if lengths is None else lengths.tolist())

    @contextmanager
    def reading(self, ids: Int[Tensor, "batch position"]) -> Iterator[None]:
        """Begin a forward pass over these tokens, and finish it."""
        self._computed.clear()
        yield

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values, preceded by the earlier tokens'."""
        return key, value

    def rotation(self, rotary: RotaryEmbedding) -> tuple[Tensor, Tensor] | None:
        """Return the cosines and sines of the tokens' angles, shared by all layers;
        None for positions 0, 1, 2 and so on, which packed rows use too, because only
        distances within a text matter.
        """
        if not self.by_position:
            return None
        if "rotation" not in self._computed:
            self._computed["rotation"] = rotary.rotation(self.positions)
        return self._computed["rotation"]

    def rotate_late(
        self, rotary: RotaryEmbedding | None, query: Tensor, key: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rotate queries and all keys, if the cache stores keys before rotation."""
        return query, key

    def visibility(
        self, x: Float[Tensor, "batch query width"], pattern: AttentionPattern
    ) -> Visibility:
        """Return the mask and bias of layers with this pattern, computed once."""
        key = pattern, x.shape[1]
        if key not in self._computed:
            self._computed[key] = self.see(x, pattern)
        return self._computed[key]

    def see(self, x: Tensor, pattern: AttentionPattern) -> Visibility:
        """Compute the mask and bias for each query."""
        if not pattern.causal:
            return self.mask, None, False
        if self.mask is None and pattern.window is None and not pattern.alibi_heads:
            return None, None, True
        places = torch.arange(x.shape[1], device=x.device)
        positions = self.positions if self.by_position else places
        mask, bias = causal_tables(x, pattern, positions, positions)
        mask = mask[:, None] if self.by_position else mask
        return mask if self.mask is None else mask & self.mask, bias, False


def causal_tables(
    x: Tensor, pattern: AttentionPattern, queries: Tensor, keys: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return a layer's causal mask and ALiBi's bias for the given positions."""
    mask = may_see(queries, keys, pattern.window)
    if not pattern.alibi_heads:
        return mask, None
    return mask, _distance_bias(pattern.alibi_heads, queries, keys).to(x.dtype)
