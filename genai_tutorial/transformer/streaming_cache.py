"""Caches of constant size, which forget: a ring of the last tokens, for a sliding
window, and the cache of an endless stream, with the first tokens, the last ones, and
positions that never leave the trained range.
"""

import math
import sys

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .cache import CachedContext, KVCache
from .config import DecoderConfig
from .context import AttentionPattern, Visibility, check_sinks, may_see
from .positions import RotaryEmbedding


class RollingCache(KVCache):
    """A `KVCache` for a model with a sliding window: it keeps the last tokens of each
    row in a ring buffer with `slots` slots.

    Source: Jiang et al., Mistral 7B, section 2 (rolling buffer cache),
        https://arxiv.org/abs/2310.06825
    """

    forgets = True

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values for the new tokens, and return all those that
        the new tokens may attend to.
        """
        rings = self.keys[layer], self.values[layer]
        if not self._overwrites:
            places = self.positions % self._ring_size
            for ring, new in zip(rings, (key, value), strict=True):
                ring[self.rows, :, places] = new.transpose(1, 2)
            return tuple(ring[:, :, : self.end] for ring in rings)
        # The first new tokens still attend to keys that the last ones overwrite, so the
        # ring is read before it is written.
        seen = tuple(
            torch.cat((ring[:, :, : self.end], new), dim=2)
            for ring, new in zip(rings, (key, value), strict=True)
        )
        # The new token for each slot; negative if the slot keeps its old one.
        ends = self.positions[:, 0] + self._new_lengths()
        source = ring_positions(ends, self._ring_size) - self.positions[:, :1]
        for ring, new in zip(rings, (key, value), strict=True):
            chosen = new.transpose(1, 2)[self.rows, source.clamp(min=0)].transpose(1, 2)
            ring.copy_(torch.where(source[:, None, :, None] >= 0, chosen, ring))
        return seen

    def key_positions(self) -> Int[Tensor, "rows key"]:
        """Return the positions of the keys that `append` returns in this pass; negative
        for an empty slot.
        """
        starts = self.positions[:, 0]
        if self._overwrites:
            before = ring_positions(starts, self._ring_size)
            return torch.cat((before, self.positions), dim=1)
        new = self.positions.shape[1] if self.equal_rows else self._new_lengths()
        return ring_positions(starts + new, self._ring_size)[:, : self.end]

    @property
    def _ring_size(self) -> int:
        return self.keys.shape[3]

    @property
    def _overwrites(self) -> bool:
        """True if new tokens overwrite keys that other new tokens attend to."""
        return self.positions.shape[1] > 1 and self.end > self._ring_size

    def _new_lengths(self) -> Int[Tensor, "batch"]:
        return torch.tensor(self.new_lengths, device=self.ids.device)


def ring_positions(lengths: Tensor, places: int) -> Int[Tensor, "rows {places}"]:
    """Return the text position that each slot of a ring buffer holds after this many
    tokens; negative for an empty slot.
    """
    last = lengths[:, None] - 1
    return last - (last - torch.arange(places, device=lengths.device)) % places


class SinkCache(KVCache):
    """A `KVCache` of constant size for a text of any length: it keeps the first `sinks`
    tokens of each row and the last `window`.

    Large models put much attention on their first tokens, whatever those are; without
    these attention sinks, a sliding window ruins their predictions. Keys are stored
    before rotation and rotated by their place in the cache: window tokens keep their
    distances, and a sink is never farther from a query than the size of the cache.

    Args:
        config: The decoder's settings, with rotary positions.
        batch_size: The number of rows, which have equal lengths.
        window: The number of last tokens that a token attends to, itself included.

    Raises:
        ValueError: If a size is out of range, or the model has another positional
            encoding or already a sliding window.

    Source: Xiao et al., Efficient Streaming Language Models with Attention Sinks,
        section 3.2, https://arxiv.org/abs/2309.17453

    >>> config = DecoderConfig.llama(layers=30, width=576, heads=9, key_value_heads=3)
    >>> cache = SinkCache(config, sinks=4, window=252)
    >>> cache.keys.nbytes + cache.values.nbytes  # 46,080 per token
    11796480
    """

    forgets = True

    def __init__(
        self,
        config: DecoderConfig,
        batch_size: int = 1,
        sinks: int = 4,
        window: int = 252,
        device: torch.device | str | None = None,
    ):
        check_sinks(sinks, window)
        attention = config.attention
        if attention.positions != "rotary" or attention.sliding_window is not None:
            raise ValueError(
                "A SinkCache is for models with rotary positions and no sliding "
                f"window; got positions={attention.positions!r} and "
                f"sliding_window={attention.sliding_window}."
            )
        super().__init__(*config.cache_sizes(batch_size, sinks + window), device=device)
        self.sinks, self.window = sinks, window
        self.longest_place = config.context_length
        self.length = sys.maxsize  # of the text, which may be of any length

    def context(self, new_lengths: list[int] | None = None) -> CachedContext:
        """Return the context of tokens that continue the text in the cache."""
        return _SinkContext(self, new_lengths)

    def append(
        self,
        layer: int,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new dim"],
    ) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values for the new tokens, and return the keys and
        values of the tokens held before and of the new ones.
        """
        stored = self.keys[layer], self.values[layer]
        seen = tuple(
            torch.cat((old, new), dim=2)
            for old, new in zip(stored, (key, value), strict=True)
        )
        for old, new in zip(stored, (key, value), strict=True):
            old[:, :, self._slots] = new[:, :, self._kept]
        return seen

    def key_positions(self) -> Int[Tensor, "1 key"]:
        """Return the positions of the keys that `append` returns in this pass; negative
        for an empty slot.
        """
        return torch.cat((self._before, self.positions), dim=1)

    def rotate(
        self, rotary: RotaryEmbedding, query: Tensor, key: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rotate the queries and all keys by their places in the cache.

        When several tokens are read at once, the number of forgotten tokens differs
        between them, so a sink has no single position for all of them. Then each vector
        gets two halves, one for sinks and one for the window; in each key, one is zero.
        """
        keys, places = self.key_positions(), self.sinks + self.window - 1
        gaps = (self.positions - places).clamp(min=0)  # numbers of forgotten tokens
        is_sink = keys < self.sinks
        if gaps.min() == gaps.max():
            gap = gaps[:, :1]
            nearer = torch.where(is_sink, keys, keys - gap).clamp(min=0)
            return (
                rotary(query, rotary.rotation(self.positions - gap)),
                rotary(key, rotary.rotation(nearer)),
            )
        first = (self.positions[:, :1] - self.window + 1).clamp(min=0)
        for_sinks = rotary(query, rotary.rotation(self.positions - gaps))
        for_window = rotary(query, rotary.rotation(self.positions - first))
        sinks = rotary(key, rotary.rotation(torch.where(is_sink, keys, 0).clamp(min=0)))
        window = rotary(key, rotary.rotation((keys - first).clamp(min=0)))
        is_sink = is_sink[:, None, :, None]
        # Attention will divide by the root of the doubled width.
        return (
            torch.cat((for_sinks, for_window), dim=-1) * math.sqrt(2),
            torch.cat((sinks * is_sink, window * ~is_sink), dim=-1),
        )

    def keep(self, ids: Int[Tensor, "batch position"]) -> None:
        """Empty the cache, unless the tokens that it still holds agree with the
        beginning of `ids`.
        """
        read = self.lengths[0]
        held = self._positions_after(read)
        held = held[held >= 0]
        stored = self.ids[:, : len(held)] if read <= self.ids.shape[1] else self.ids
        fits = read < ids.shape[1] and len(ids) == len(stored)
        if self.interrupted or not fits or not torch.equal(stored, ids[:, held]):
            self._rewind(0)

    def _store_ids(self, ids: Int[Tensor, "batch new"]) -> None:
        before, new = self.lengths[0], ids.shape[1]
        if not self.equal_rows or self.new_lengths != [new] * len(ids):
            raise ValueError("The rows of a SinkCache have equal lengths, unpadded.")
        if new + self.window > self.longest_place:
            raise ValueError(
                f"A window of {self.window} and {new} new tokens exceed the context "
                f"window of {self.longest_place}: read the text in smaller pieces, at "
                f"most {self.longest_place - self.window} tokens each."
            )
        self._before = self._positions_after(before)[None]
        after = self._positions_after(before + new)
        self._slots = (after >= before).nonzero()[:, 0]
        self._kept = after[self._slots] - before
        self.ids[:, self._slots] = ids[:, self._kept]

    def _positions_after(self, length: int) -> Int[Tensor, "place"]:
        """Return the text position that each slot holds after this many tokens."""
        first = torch.arange(self.sinks, device=self.ids.device)
        first = torch.where(first < length, first, -1)
        start = torch.tensor([length - self.sinks], device=self.ids.device)
        last = ring_positions(start, self.window)[0]
        return torch.cat((first, torch.where(last < 0, -1, last + self.sinks)))


class _SinkContext(CachedContext):
    """Rotates queries and all keys when they are read, by their places in the cache."""

    def rotation(self, rotary: RotaryEmbedding) -> tuple[Tensor, Tensor]:
        """Return the cosine and sine of no angle: keys are stored before rotation."""
        return rotary.cosines.new_ones(()), rotary.sines.new_zeros(())

    def rotate_late(
        self, rotary: RotaryEmbedding, query: Tensor, key: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rotate queries and all keys."""
        return self.cache.rotate(rotary, query, key)

    def see(self, x: Tensor, pattern: AttentionPattern) -> Visibility:
        """Compute the mask of each query: the sinks and the window."""
        keys, cache = self.cache.key_positions(), self.cache
        mask = may_see(self.positions, keys, cache.window, cache.sinks)
        return mask[:, None], None, False
