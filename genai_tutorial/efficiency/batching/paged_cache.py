"""The paged KV cache: the rows of a forward pass are texts whose keys and values are in
the blocks of a pool.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.efficiency.batching.block_pool import BlockPool
from genai_tutorial.efficiency.batching.blocks import BlockTable
from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import AttentionContext, DecoderLM, KVCache


class PagedKVCache(KVCache):
    """Lets a decoder read the texts of a pool, any of them in each forward pass.

    Before a pass, `BlockPool.reserve` takes the blocks for the new tokens, and `open`
    chooses the texts. The keys and values of a row are gathered from its blocks into
    one tensor, because PyTorch's attention reads contiguous rows; production kernels
    read the blocks where they are.

    Args:
        pool: The pool of blocks.

    Source: Kwon et al., Efficient Memory Management for Large Language Model Serving
        with PagedAttention, section 4.1, https://arxiv.org/abs/2309.06180
    """

    def __init__(self, pool: BlockPool):
        # Not KVCache's own __init__, which allocates contiguous rows.
        self.pool, self.length = pool, pool.config.context_length
        self.open([])

    def open(self, tables: Sequence[BlockTable]) -> None:
        """Choose the texts that are the rows of the next pass."""
        self.tables = list(tables)
        self.lengths = [table.length for table in tables]
        self.last_inputs, self.interrupted = {}, False

    def begin(
        self, ids: Int[Tensor, "batch new"], new_lengths: list[int] | None = None
    ) -> Int[Tensor, "rows new"]:
        """Begin a forward pass over the new tokens of the open texts and return their
        positions; see `KVCache.begin`.

        Raises:
            ValueError: If there are not as many rows as open texts, or a row has no
                new token or none reserved.
        """
        batch, new = ids.shape
        self.new_lengths = [new] * batch if new_lengths is None else new_lengths
        self._check_rows(batch, new)
        starts = torch.tensor(self.lengths, device=ids.device)[:, None]
        counts = torch.tensor(self.new_lengths, device=ids.device)[:, None]
        places = torch.arange(new, device=ids.device)
        # Padding repeats the last position, which exists in every model.
        self.positions = starts + torch.minimum(places, counts - 1)
        self.end = int((starts + counts).max())
        slots, ends = self._slots(ids.device), starts + counts
        written = slots.gather(1, self.positions)
        padding = self.pool.padding_slot
        self._write_slots = torch.where(places < counts, written, padding).flatten()
        # What is beyond the end of a text is hidden from it, but even a hidden value
        # does harm if it is not a number.
        beyond = torch.arange(self.end, device=ids.device) >= ends
        self._read_slots = torch.where(beyond, self.pool.empty_slot, slots)
        self.rows = torch.arange(batch, device=ids.device)[:, None]
        self.last_inputs = _stacked_inputs(self.tables)
        self.interrupted = True
        if len({*self.lengths}) == 1 and {*self.new_lengths} == {new}:
            self.positions = self.positions[:1]
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
            stored[self._write_slots] = new.transpose(1, 2).flatten(0, 1)
            rows = stored.index_select(0, self._read_slots.flatten())
            seen.append(rows.unflatten(0, self._read_slots.shape).transpose(1, 2))
        return seen[0], seen[1]

    def key_positions(self) -> Int[Tensor, "rows key"]:
        """Return the positions of the keys that `append` returns in this pass."""
        places = torch.arange(self.end, device=self.pool.keys.device)
        return places.expand(len(self.positions), -1)

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
        """Raise, because a `PrefixCache` does this for texts in blocks.

        Raises:
            NotImplementedError: If called.
        """
        raise NotImplementedError("A PagedKVCache keeps beginnings in a PrefixCache.")

    def select(self, rows: Sequence[int]) -> None:
        """Raise, because the rows are the open texts.

        Raises:
            NotImplementedError: If called.
        """
        raise NotImplementedError("The rows of a PagedKVCache are chosen by `open`.")

    def _slots(self, device: torch.device) -> Int[Tensor, "row position"]:
        """Return the slot of each position of the open texts, and any beyond."""
        count, size = self.pool.blocks_for(self.end), self.pool.block_size
        blocks = torch.tensor(
            [
                (table.blocks + [0] * (count - len(table.blocks)))[:count]
                for table in self.tables
            ],
            device=device,
        )
        places = torch.arange(self.end, device=device)
        return blocks[:, places // size] * size + places % size

    def _check_rows(self, batch: int, new: int) -> None:
        if batch != len(self.tables) or len(self.new_lengths) != batch:
            raise ValueError(
                f"{len(self.tables)} texts are open, got {batch} rows with "
                f"{len(self.new_lengths)} lengths. Call `open` before each pass."
            )
        for table, count in zip(self.tables, self.new_lengths, strict=True):
            total = table.length + count
            if not 1 <= count <= new or self.pool.blocks_for(total) > len(table.blocks):
                raise ValueError(
                    f"A row has {count} of {new} new tokens behind {table.length}, and "
                    f"{len(table.blocks)} blocks of {self.pool.block_size}. Each row "
                    "needs at least one token, and `reserve` before the pass."
                )


@torch.no_grad()
def read_tables(
    model: DecoderLM,
    cache: PagedKVCache,
    tables: Sequence[BlockTable],
    rows: Sequence[Sequence[int]],
) -> Float[Tensor, "row vocab"]:
    """Read new tokens at the end of several texts in one forward pass, and return the
    logits after each text.

    Args:
        model: The model that reads.
        cache: The cache of all texts.
        tables: The texts, each at most once.
        rows: The new tokens of each text, at least one.

    Raises:
        OutOfBlocks: If the cache has too few blocks for the new tokens.
    """
    for table, row in zip(tables, rows, strict=True):
        cache.pool.reserve(table, len(row))
    cache.open(tables)
    longest, device = max(map(len, rows)), cache.pool.keys.device
    ids = torch.tensor(
        [[*row, *[PADDING] * (longest - len(row))] for row in rows], device=device
    )
    counts = torch.tensor([len(row) for row in rows], device=device)
    hidden = model.read(ids, AttentionContext.cached(cache, counts))
    last = hidden[torch.arange(len(rows), device=device), counts - 1]
    return model.logits(last[:, None])[:, 0]


def _stacked_inputs(tables: Sequence[BlockTable]) -> dict:
    """Return the last inputs of each layer for all rows; zeros for a new text."""
    known = {layer: kept for t in tables for layer, kept in t.last_inputs.items()}
    return {
        layer: torch.stack(
            [t.last_inputs.get(layer, torch.zeros_like(kept)) for t in tables]
        )
        for layer, kept in known.items()
    }
