"""The KV cache: the keys and values of the tokens read so far, so that generating a new
token takes a forward pass over that token only, not over the whole text.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .context import AttentionContext, AttentionPattern, Visibility, causal_tables


class KVCache:
    """Keys and values of every layer; new ones are appended at the end of each row.

    The key of token p of a row is stored at index p, so the causal mask hides anything
    beyond the row's end. All memory is allocated once. `DecoderLM.make_cache` fills in
    a model's numbers.

    Args:
        heads: The number of key and value heads.
        length: The maximum number of tokens per row, prompt and answer together.
        width: The number of features per head.
        slots: The number of tokens per row whose keys are stored; None for `length`.

    Source: Shazeer, Fast Transformer Decoding, section 2.4.1,
    https://arxiv.org/abs/1911.02150

    >>> cache = KVCache(layers=30, rows=1, heads=3, length=1000, width=64)
    >>> cache.keys.shape  # layer, row, key/value head, position, feature
    torch.Size([30, 1, 3, 1000, 64])
    """

    forgets: bool = False  # whether new keys overwrite the oldest
    # Whether each new token and each key belong to one text; None: a row is one text.
    same_text: Bool[Tensor, "row new key"] | None = None

    def __init__(
        self,
        layers: int,
        rows: int,
        heads: int,
        length: int,
        width: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
        slots: int | None = None,
    ):
        shape = (layers, rows, heads, length if slots is None else slots, width)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.ids = torch.zeros(rows, length, dtype=torch.long, device=device)
        self.length = length
        self.lengths = [0] * rows  # how many tokens each row has read
        self.interrupted = False  # whether the last pass began but did not finish
        # The last inputs, or the state, of layers that look back without attention.
        self.last_inputs: dict[nn.Module, Tensor] = {}

    def context(self, new_lengths: list[int] | None = None) -> "CachedContext":
        """Return the context of new tokens; see `AttentionContext.cached`."""
        return CachedContext(self, new_lengths)

    def begin(
        self, ids: Int[Tensor, "batch new"], new_lengths: list[int] | None = None
    ) -> Int[Tensor, "rows new"]:
        """Begin a forward pass over new tokens, `new_lengths` in each row without
        padding, and return their positions, as a single row if all rows have the same
        length.
        """
        batch, new = ids.shape
        self.new_lengths = [new] * batch if new_lengths is None else new_lengths
        self._check(batch, new)
        self.interrupted = True
        self.start, self.end = min(self.lengths), max(self.lengths) + new
        self.equal_rows = self.end - self.start == new  # all rows have one length
        starts = torch.tensor(
            self.lengths[:1] if self.equal_rows else self.lengths, device=ids.device
        )
        self.rows = torch.arange(batch, device=ids.device)[:, None]
        self.positions = starts[:, None] + torch.arange(new, device=ids.device)
        self._store_ids(ids)
        return self.positions

    def append(
        self,
        layer: int,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new value_dim"],
    ) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values for the new tokens, and return the whole
        text's keys and values.
        """
        keys, values = self.keys[layer], self.values[layer]
        if self.equal_rows:  # one copy instead of one per row
            keys[:, :, self.start : self.end] = key
            values[:, :, self.start : self.end] = value
        else:
            keys[self.rows, :, self.positions] = key.transpose(1, 2)
            values[self.rows, :, self.positions] = value.transpose(1, 2)
        return keys[:, :, : self.end], values[:, :, : self.end]

    def key_positions(self) -> Int[Tensor, "rows key"]:
        """Return the positions of the keys that `append` returns in this pass."""
        places = torch.arange(self.end, device=self.ids.device)
        return places.expand(len(self.positions), -1)

    def with_previous(self, layer: nn.Module, x: Tensor, count: int) -> Tensor:
        """Prepend the last `count` inputs of a layer that looks back without attention
        to its new ones, or zeros at the start of a text.
        """
        before = x.new_zeros(x.shape[0], count, *x.shape[2:])
        text = torch.cat((self.last_inputs.get(layer, before), x), dim=1)
        new = torch.tensor(self.new_lengths, device=x.device)[:, None]
        last = new + torch.arange(count, device=x.device)
        self.last_inputs[layer] = text[self.rows, last]
        return text

    def finish(self) -> None:
        """Finish a forward pass: mark its tokens as read."""
        pairs = zip(self.lengths, self.new_lengths, strict=True)
        self.lengths = [length + new for length, new in pairs]
        self.interrupted = False

    def keep(self, ids: Int[Tensor, "batch position"]) -> None:
        """Truncate the cache to the longest prefix that it shares with `ids`, leaving
        at least the last token of `ids` to be read.
        """
        most = min(max(self.lengths), ids.shape[1] - 1)
        equal = self.ids[:, :most] == ids[:, :most]
        common = min(int(equal.long().cumprod(dim=1).sum(dim=1).min()), *self.lengths)
        if common < max(self.lengths) or self.interrupted:
            self._rewind(common)

    def rewind(self, length: int) -> None:
        """Forget all tokens after the first `length` of each row, such as drafted
        tokens that the model rejected.

        Raises:
            ValueError: If a row has read fewer tokens, or what came before its end is
                no longer known: the cache has overwritten keys, or the model has short
                convolutions, n-gram tables or memories of fixed size.
        """
        if self.forgets or self.last_inputs:
            raise ValueError(
                f"This {type(self).__name__} cannot go back: earlier keys, states, or "
                "inputs of short convolutions and n-gram tables are gone. Use `keep`."
            )
        read = min(self.lengths)
        if not 0 <= length <= read:
            raise ValueError(
                f"Each row has read {read} tokens, so it cannot go back to {length}."
            )
        self._rewind(length)

    def select(self, rows: Sequence[int]) -> None:
        """Replace the rows by copies of these ones, in this order, some of them several
        times: `[0] * n` turns a prompt that was read once into n rows.
        """
        chosen = torch.tensor(rows, device=self.ids.device)
        self.keys, self.values = self.keys[:, chosen], self.values[:, chosen]
        self.ids = self.ids[chosen]
        self.lengths = [self.lengths[row] for row in rows]
        self.last_inputs = {
            layer: inputs[chosen] for layer, inputs in self.last_inputs.items()
        }

    def _store_ids(self, ids: Int[Tensor, "batch new"]) -> None:
        self.ids[self.rows, self.positions] = ids

    def _rewind(self, length: int) -> None:
        if self.forgets or self.last_inputs:  # what came before is no longer known
            length = 0
        self.lengths = [length] * len(self.lengths)
        self.last_inputs.clear()
        self.interrupted = False

    def _check(self, batch: int, new: int) -> None:
        if batch != len(self.lengths):
            raise ValueError(
                f"The cache was made for {len(self.lengths)} rows, got {batch}."
            )
        lengths = self.new_lengths
        if len(lengths) != batch or not all(0 <= length <= new for length in lengths):
            raise ValueError(
                f"lengths must be {batch} numbers from 0 to {new}, got {lengths}."
            )
        if max(self.lengths) + new > self.length:
            raise ValueError(
                f"The cache is full: it has room for {self.length} tokens per row, "
                f"holds {max(self.lengths)}, and got {new} more. Make it longer, or "
                "start a new one with the end of the text."
            )


class CachedContext(AttentionContext):
    """The context of tokens that continue the text in a cache."""

    def __init__(self, cache: KVCache, new_lengths: list[int] | None = None):
        super().__init__(by_position=True)
        self.cache, self.new_lengths = cache, new_lengths

    @contextmanager
    def reading(self, ids: Int[Tensor, "batch position"]) -> Iterator[None]:
        """Begin and finish a pass; after an interrupted one, call `KVCache.keep`."""
        self._computed.clear()
        self.positions = self.cache.begin(ids, self.new_lengths)
        with torch.no_grad():
            yield
        self.cache.finish()

    def append(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return a layer's keys and values, preceded by the earlier tokens'."""
        return self.cache.append(layer, key, value)

    def see(self, x: Tensor, pattern: AttentionPattern) -> Visibility:
        """Compute the mask and bias for each query."""
        new, keys = x.shape[1], self.cache.key_positions()
        in_window = pattern.window is None or keys.shape[1] <= pattern.window
        in_window &= self.cache.same_text is None
        if len(self.positions) == 1 and in_window and not pattern.alibi_heads:
            if new == 1:  # a single token attends to all keys
                return None, None, False
            if new == keys.shape[1]:  # the text begins here
                return None, None, True
        mask, bias = causal_tables(x, pattern, self.positions, keys)
        if self.cache.same_text is not None:
            mask = mask & self.cache.same_text
        return mask[:, None], bias, False
