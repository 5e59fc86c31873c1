"""The paged KV cache: forward passes over texts that are stored in blocks of a pool."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.transformer import KVCache

from .block_pool import BlockPool
from .blocks import BlockTable


class PagedKVCache(KVCache):
    """Lets a decoder read the texts of a pool, any of them in each forward pass.

    Source: Kwon et al., Efficient Memory Management for Large Language Model Serving
        with PagedAttention, section 4.1, https://arxiv.org/abs/2309.06180
    """

    def __init__(self, pool: BlockPool):
        # Not KVCache's own __init__, which allocates contiguous rows.
        self.pool, self.length = pool, pool.config.context_length
        self.open([])

    def open(self, tables: Sequence[BlockTable]) -> None:
        """Choose the texts of the next pass."""
        self.tables = list(tables)
        self.lengths = [table.length for table in tables]
        self.last_inputs, self.interrupted = {}, False

    def begin(
        self, ids: Int[Tensor, "batch new"], new_lengths: list[int] | None = None
    ) -> Int[Tensor, "rows new"]:
        """Begin a forward pass over the new tokens of the open texts and return their
        positions; see `KVCache.begin`.
        """
        batch, new = ids.shape
        self.new_lengths = [new] * batch if new_lengths is None else new_lengths
        joined = batch == 1 and new == sum(self.new_lengths) and len(self.tables) > 1
        self._check_texts(batch, new, joined)
        self.rows = torch.arange(batch, device=ids.device)[:, None]
        self.last_inputs = _stacked_inputs(self.tables)
        self.interrupted = True
        if joined:
            self._join()
        else:
            self._begin_rows(new)
        return self.positions

    def append(
        self,
        layer: int,
        key: Float[Tensor, "batch head new dim"],
        value: Float[Tensor, "batch head new dim"],
    ) -> tuple[Tensor, Tensor]:
        """Store a layer's keys and values for the new tokens, and return those of the
        whole texts.
        """
        seen = []
        for stored, new in (
            (self.pool.keys[layer], key),
            (self.pool.values[layer], value),
        ):
            stored[self._write_slots.flatten()] = new.transpose(1, 2).flatten(0, 1)
            rows = stored.index_select(0, self._read_slots.flatten())
            seen.append(rows.unflatten(0, self._read_slots.shape).transpose(1, 2))
        return seen[0], seen[1]

    def key_positions(self) -> Int[Tensor, "rows key"]:
        """Return the positions of the keys that `append` returns in this pass."""
        return self._key_positions

    def finish(self) -> None:
        """Finish a forward pass: mark its tokens as read."""
        for row, (table, new) in enumerate(
            zip(self.tables, self.new_lengths, strict=True)
        ):
            table.length += new
            table.last_inputs = {
                layer: inputs[row] for layer, inputs in self.last_inputs.items()
            }
        self.last_inputs, self.interrupted = {}, False

    def keep(self, ids: Int[Tensor, "batch position"]) -> None:
        """Raise, because a `PrefixCache` does this for texts in blocks."""
        raise NotImplementedError("A PagedKVCache keeps prefixes in a PrefixCache.")

    def rewind(self, length: int) -> None:
        """Raise, because the texts have their own lengths, in their tables."""
        raise NotImplementedError("A PagedKVCache cannot go back.")

    def select(self, rows: Sequence[int]) -> None:
        """Raise, because the rows are the open texts."""
        raise NotImplementedError("The rows of a PagedKVCache are chosen by `open`.")

    def _begin_rows(self, new: int) -> None:
        """Begin a pass in which each text is a row."""
        device = self.pool.keys.device
        starts = torch.tensor(self.lengths, device=device)[:, None]
        counts = torch.tensor(self.new_lengths, device=device)[:, None]
        end = int((starts + counts).max())
        slots = torch.stack([self.pool.slots(table, end) for table in self.tables])
        places = torch.arange(new, device=device)
        keys = torch.arange(end, device=device)
        # Padding repeats the last position, which exists in every model.
        self.positions = starts + torch.minimum(places, counts - 1)
        is_padding, written = places >= counts, slots.gather(1, self.positions)
        self._write_slots = written.masked_fill(is_padding, self.pool.padding_slot)
        # Keys beyond the end of a text are masked, but even a masked value spoils the
        # result if it is NaN: 0 times NaN is NaN.
        beyond = keys >= starts + counts
        self._read_slots = slots.masked_fill(beyond, self.pool.empty_slot)
        if len({*self.lengths}) == 1 and {*self.new_lengths} == {new}:
            self.positions = self.positions[:1]
        self._key_positions = keys.expand(len(self.positions), -1)
        self.same_text = None

    def _join(self) -> None:
        """Begin a pass in which all texts are one row."""
        device = self.pool.keys.device
        starts, counts = self.lengths, self.new_lengths
        ends = [start + count for start, count in zip(starts, counts, strict=True)]
        keys = [torch.arange(end, device=device) for end in ends]
        slots = [
            self.pool.slots(t, end) for t, end in zip(self.tables, ends, strict=True)
        ]
        new = [text[start:] for text, start in zip(keys, starts, strict=True)]
        written = [text[start:] for text, start in zip(slots, starts, strict=True)]
        self.positions, self._key_positions = (
            torch.cat(new)[None],
            torch.cat(keys)[None],
        )
        self._write_slots = torch.cat(written)[None]
        self._read_slots = torch.cat(slots)[None]
        texts = torch.arange(len(ends), device=device)
        of_new = texts.repeat_interleave(torch.tensor(counts, device=device))
        of_keys = texts.repeat_interleave(torch.tensor(ends, device=device))
        self.same_text = (of_new[:, None] == of_keys)[None]

    def _check_texts(self, batch: int, new: int, joined: bool) -> None:
        texts = len(self.tables)
        if texts != len(self.new_lengths) or not (joined or batch == texts):
            raise ValueError(
                f"{texts} texts are open, got {batch} rows with "
                f"{len(self.new_lengths)} lengths. Call `open` before each pass."
            )
        if joined and not self.pool.can_share:
            raise ValueError(
                "Short convolutions and n-gram embeddings read the neighbours in a "
                "row, so a row holds one text."
            )
        for table, count in zip(self.tables, self.new_lengths, strict=True):
            total = table.length + count
            if not 1 <= count <= new or self.pool.blocks_for(total) > len(table.blocks):
                raise ValueError(
                    f"A text has {count} of {new} new tokens after {table.length}, and "
                    f"{len(table.blocks)} blocks of {self.pool.block_size}. Give each "
                    "text at least one token, and call `reserve` before the pass."
                )


def _stacked_inputs(tables: Sequence[BlockTable]) -> dict:
    """Return the last inputs of each layer for all rows; zeros for a new text."""
    known = {layer: kept for t in tables for layer, kept in t.last_inputs.items()}
    return {
        layer: torch.stack(
            [t.last_inputs.get(layer, torch.zeros_like(kept)) for t in tables]
        )
        for layer, kept in known.items()
    }
