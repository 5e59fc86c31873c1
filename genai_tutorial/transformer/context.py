"""The context of a forward pass: which positions its tokens have, which keys each of
them may see, and the cache of what was read before.

Without any, the rows are whole texts, and nothing here is needed: positions are 0, 1, 2
and so on, and attention is causal. The three constructors are for everything else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer.alibi import alibi_slopes, distance_bias
from genai_tutorial.transformer.cache import KVCache
from genai_tutorial.transformer.masks import (
    document_mask,
    document_positions,
    may_see,
    padding_mask,
    sees_back,
)
from genai_tutorial.transformer.rotary import RotaryEmbedding


@dataclass(frozen=True)
class AttentionPattern:
    """What an attention layer hides and penalizes in every text.

    Attributes:
        causal: Whether a query sees only keys at and before its own position.
        window: How many positions a causal query sees, its own included; None for all.
        alibi_heads: The number of heads that ALiBi gives a slope; 0 for no ALiBi.
    """

    causal: bool = True
    window: int | None = None
    alibi_heads: int = 0


Visibility = tuple[Tensor | None, Tensor | None, bool]
"""A mask, a bias and `is_causal`, as `fused_attention` takes them."""


@dataclass
class AttentionContext:
    """What a forward pass knows beside its tokens; made by one of the constructors.

    Attributes:
        mask: True where a query may see a key, beside what a layer hides in every text.
        positions: The positions of the tokens; None for 0, 1, 2 and so on.
        cache: The keys and values of the tokens read before.
        new_lengths: The number of new tokens in each row, without the padding.

    Raises:
        ValueError: If there are both a mask and a cache.

    >>> AttentionContext.packed(torch.tensor([[5, 5, 6]])).positions
    tensor([[0, 1, 0]])
    """

    mask: Bool[Tensor, "#batch #head #query #key"] | None = None
    positions: Int[Tensor, "rows query"] | None = None
    cache: KVCache | None = None
    new_lengths: list[int] | None = None
    _computed: dict = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self):
        if self.mask is not None and self.cache is not None:
            raise ValueError(
                "A cache holds one text a row: give documents without a cache."
            )

    @classmethod
    def packed(cls, documents: Int[Tensor, "batch position"]) -> "AttentionContext":
        """Return the context of rows that hold several texts, one after the other: a
        token sees its own text only, and its position counts from there.

        Args:
            documents: The number of the text that each token belongs to.
        """
        return cls(document_mask(documents), document_positions(documents))

    @classmethod
    def padded(cls, lengths: Int[Tensor, "batch"], length: int) -> "AttentionContext":
        """Return the context of right-padded rows, whose padding is not seen. A causal
        model can do without: padding comes last. An encoder cannot.

        Args:
            lengths: The number of tokens in each row without the padding.
            length: The number of tokens with the padding.
        """
        return cls(padding_mask(lengths, length))

    @classmethod
    def cached(
        cls, cache: KVCache, lengths: Int[Tensor, "batch"] | None = None
    ) -> "AttentionContext":
        """Return the context of tokens that continue what is in a cache, which takes
        them up; nothing is recorded for gradients.

        Args:
            cache: The cache, from `DecoderLM.make_cache`.
            lengths: The number of new tokens in each row, where rows are right-padded.
        """
        new_lengths = None if lengths is None else lengths.tolist()
        return cls(cache=cache, new_lengths=new_lengths)

    @contextmanager
    def reading(self, ids: Int[Tensor, "batch position"]) -> Iterator[None]:
        """Open the cache, if there is one, for a pass over all layers. The tokens count
        as read when the pass ends; after an interrupted one, call `KVCache.keep`.
        """
        self._computed.clear()
        if self.cache is None:
            yield
            return
        self.positions = self.cache.begin(ids, self.new_lengths)
        with torch.no_grad():
            yield
        self.cache.finish()

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values, with those of the tokens read before."""
        if self.cache is None:
            return key, value
        return self.cache.append(layer, key, value)

    def rotation(self, rotary: RotaryEmbedding) -> tuple[Tensor, Tensor] | None:
        """Return the cosines and sines of the tokens' angles, the same for all layers;
        None for those of positions 0, 1, 2 and so on.

        Packed texts need no others: only distances inside a text matter.
        """
        if self.cache is None:
            return None
        if "rotation" not in self._computed:
            self._computed["rotation"] = rotary.rotation(self.positions)
        return self._computed["rotation"]

    def visibility(
        self, x: Float[Tensor, "batch query width"], pattern: AttentionPattern
    ) -> Visibility:
        """Return which keys each query sees and what is added to its scores, computed
        once for all layers of the same pattern.
        """
        compute = self._of_whole_texts if self.cache is None else self._of_new_tokens
        key = pattern, x.shape[1]
        if key not in self._computed:
            self._computed[key] = compute(x, pattern)
        return self._computed[key]

    def with_previous(self, layer: nn.Module, x: Tensor, count: int) -> Tensor:
        """Return the new inputs of a layer that looks back without attention, behind
        its last `count` inputs; zeros come before the first.
        """
        before = x.new_zeros(x.shape[0], count, *x.shape[2:])
        if self.cache is None:
            return torch.cat((before, x), dim=1)
        text = torch.cat((self.cache.last_inputs.get(layer, before), x), dim=1)
        new = torch.tensor(self.cache.new_lengths, device=x.device)[:, None]
        last = new + torch.arange(count, device=x.device)
        self.cache.last_inputs[layer] = text[self.cache.rows, last]
        return text

    def hide(self, earlier: Tensor, distance: int) -> Tensor:
        """Return inputs from `distance` positions before each token, zero where the
        token may not see them.
        """
        if self.mask is None:
            return earlier
        mask = self.mask.expand(-1, -1, self.mask.shape[-1], -1)
        seen = sees_back(mask, distance)
        return earlier * seen.view(*seen.shape, *[1] * (earlier.dim() - 2))

    def _of_whole_texts(self, x: Tensor, pattern: AttentionPattern) -> Visibility:
        needs_table = pattern.window is not None or pattern.alibi_heads > 0
        if not pattern.causal:
            return self.mask, None, False
        if self.mask is None and not needs_table:
            return None, None, True
        positions = torch.arange(x.shape[1], device=x.device)
        mask, bias = _causal_tables(x, pattern, positions, positions)
        return mask if self.mask is None else mask & self.mask, bias, False

    def _of_new_tokens(self, x: Tensor, pattern: AttentionPattern) -> Visibility:
        new, keys = x.shape[1], self.cache.key_positions()
        in_window = pattern.window is None or keys.shape[1] <= pattern.window
        if len(self.positions) == 1 and in_window and not pattern.alibi_heads:
            if new == 1:  # a single token sees all keys
                return None, None, False
            if new == keys.shape[1]:  # the text begins here
                return None, None, True
        mask, bias = _causal_tables(x, pattern, self.positions, keys)
        return mask[:, None], bias, False


def _causal_tables(
    x: Tensor, pattern: AttentionPattern, queries: Tensor, keys: Tensor
) -> tuple[Tensor, Tensor | None]:
    mask = may_see(queries, keys, pattern.window)
    if not pattern.alibi_heads:
        return mask, None
    slopes = alibi_slopes(pattern.alibi_heads, x.device)
    return mask, distance_bias(slopes, queries, keys).to(x.dtype)
