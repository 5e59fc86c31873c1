"""The paged KV cache: keys and values in blocks of a fixed size, which several texts
can share, and the view of them that a forward pass needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import DecoderLM, KVCache


class OutOfBlocks(RuntimeError):
    """Raised when a cache has fewer free blocks than a text needs."""


class BlockAllocator:
    """Hands out the numbers of blocks and counts how many texts hold each.

    Source: Kwon et al., Efficient Memory Management for Large Language Model Serving
        with PagedAttention, sections 4.2 and 4.4, https://arxiv.org/abs/2309.06180
    """

    def __init__(self, blocks: int):
        self._references = [0] * blocks
        self._free = list(range(blocks - 1, -1, -1))  # the lowest number comes first

    @property
    def total(self) -> int:
        """The number of blocks."""
        return len(self._references)

    @property
    def free(self) -> int:
        """The number of blocks without a holder."""
        return len(self._free)

    def allocate(self) -> int:
        """Return a free block, which now has one holder."""
        if not self._free:
            raise OutOfBlocks(
                f"All {self.total} blocks are in use. Free a table, or make the cache "
                "with more blocks."
            )
        block = self._free.pop()
        self._references[block] = 1
        return block

    def share(self, block: int) -> None:
        """Add a holder to a block."""
        self._references[block] += 1

    def release(self, block: int) -> None:
        """Remove a holder from a block, and free it if that was the last one."""
        self._references[block] -= 1
        if not self._references[block]:
            self._free.append(block)

    def references(self, block: int) -> int:
        """Return the number of holders of a block."""
        return self._references[block]


@dataclass
class BlockTable:
    """The blocks of one text, in the order of its positions."""

    blocks: list[int] = field(default_factory=list)
    length: int = 0
    last_inputs: dict[nn.Module, Tensor] = field(default_factory=dict, repr=False)


class BlockPool:
    """Keys and values of many texts.

    Source: Kwon et al., Efficient Memory Management for Large Language Model Serving
        with PagedAttention, section 4, https://arxiv.org/abs/2309.06180
    """

    def __init__(self, model: DecoderLM, blocks: int, block_size: int):
        self.allocator = BlockAllocator(blocks)
        self.config, self.block_size = model.config, block_size
        # Two more slots than are handed out: one that stays empty, and one to which
        # padding tokens are written.
        self.empty_slot = blocks * block_size
        self.padding_slot = self.empty_slot + 1
        layers, _, heads, _, width = model.config.cache_sizes()
        weight = model.token_embedding.weight.detach()
        self.keys = weight.new_zeros(layers, blocks * block_size + 2, heads, width)
        self.values = torch.zeros_like(self.keys)
        self.copies = 0  # how many blocks were copied on write

    @property
    def can_share(self) -> bool:
        """Whether texts can share the blocks of a prefix: only if keys and values are
        all that the model keeps of it, so not with short convolutions or n-gram
        embeddings.
        """
        local = self.config.local
        return not (
            local.convolution_size or local.pair_features or local.triple_features
        )

    def joins(self, new: int, keys: int) -> bool:
        """Return whether it is cheaper to join texts to one row than to pad them, and
        the model allows it.
        """
        fits = new <= self.config.context_length and keys <= 6 * self.config.width
        return self.can_share and fits

    def blocks_for(self, tokens: int) -> int:
        """Return the number of blocks that hold this many tokens."""
        return -(-tokens // self.block_size)

    def blocks_needed(self, table: BlockTable, new: int) -> int:
        """Return the number of free blocks that `reserve` would take."""
        grown = self.blocks_for(table.length + new) - len(table.blocks)
        return max(0, grown) + len(self._shared_ends(table, new))

    def reserve(self, table: BlockTable, new: int) -> None:
        """Take the blocks for new tokens at the end of a text."""
        needed = self.blocks_needed(table, new)
        if needed > self.allocator.free:
            raise OutOfBlocks(
                f"The text needs {needed} more blocks and {self.allocator.free} are "
                "free. Free a table, or make the pool with more blocks."
            )
        for place in self._shared_ends(table, new):
            shared, block = table.blocks[place], self.allocator.allocate()
            for stored in (self.keys, self.values):
                stored[:, self._slots_of(block)] = stored[:, self._slots_of(shared)]
            self.allocator.release(shared)
            table.blocks[place] = block
            self.copies += 1
        while len(table.blocks) < self.blocks_for(table.length + new):
            table.blocks.append(self.allocator.allocate())

    def fork(self, table: BlockTable) -> BlockTable:
        """Return a second text with the same tokens, in the same blocks."""
        for block in table.blocks:
            self.allocator.share(block)
        return BlockTable(list(table.blocks), table.length, dict(table.last_inputs))

    def free(self, table: BlockTable) -> None:
        """Release all blocks of a text, which is empty afterwards."""
        for block in reversed(table.blocks):
            self.allocator.release(block)
        table.blocks, table.length, table.last_inputs = [], 0, {}

    def slots(self, table: BlockTable, length: int) -> Int[Tensor, "length"]:
        """Return the slots of a text's first positions; those for which it has no block
        are undefined.
        """
        size, device = self.block_size, self.keys.device
        missing = [0] * (self.blocks_for(length) - len(table.blocks))
        blocks = torch.tensor(table.blocks + missing, device=device)
        places = torch.arange(length, device=device)
        return blocks[places // size] * size + places % size

    def _shared_ends(self, table: BlockTable, new: int) -> list[int]:
        """Return the indices of blocks to be written that have other holders."""
        first = table.length // self.block_size
        last = min(self.blocks_for(table.length + new), len(table.blocks))
        return [
            place
            for place in range(first, last)
            if self.allocator.references(table.blocks[place]) > 1
        ]

    def _slots_of(self, block: int) -> slice:
        return slice(block * self.block_size, (block + 1) * self.block_size)


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
        """Store a layer's keys and values for the new tokens, and return the whole
        texts' keys and values.
        """
        seen = []
        for pool, new in ((self.pool.keys, key), (self.pool.values, value)):
            stored = pool[layer]
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
        self.positions = torch.cat(new)[None]
        self._key_positions = torch.cat(keys)[None]
        self._write_slots = torch.cat(written)[None]
        self._read_slots = torch.cat(slots)[None]
        texts = torch.arange(len(ends), device=device)
        of_new = texts.repeat_interleave(torch.tensor(counts, device=device))
        of_keys = texts.repeat_interleave(torch.tensor(ends, device=device))
        self.same_text = (of_new[:, None] == of_keys)[None]


def _stacked_inputs(tables: Sequence[BlockTable]) -> dict:
    """Return the last inputs of each layer for all rows; zeros for a new text."""
    known = {layer: kept for t in tables for layer, kept in t.last_inputs.items()}
    return {
        layer: torch.stack(
            [t.last_inputs.get(layer, torch.zeros_like(kept)) for t in tables]
        )
        for layer, kept in known.items()
    }
