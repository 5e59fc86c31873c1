"""The pool of blocks: the keys and values of many texts, in blocks of equal size that
each text takes one by one as it grows.

A contiguous cache reserves each row's longest possible text in advance. Here a text
wastes at most the unused part of its last block, and two texts can share a block.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial.transformer import DecoderConfig, DecoderLM

from .blocks import BlockAllocator, BlockTable, OutOfBlocks


class BlockPool:
    """Keys and values of many texts.

    Source: Kwon et al., Efficient Memory Management for Large Language Model Serving
        with PagedAttention, section 4, https://arxiv.org/abs/2309.06180
    """

    def __init__(
        self,
        config: DecoderConfig,
        blocks: int,
        block_size: int = 16,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str | None = None,
    ):
        if block_size < 1:
            raise ValueError(f"block_size must be at least 1, got {block_size}.")
        self.allocator = BlockAllocator(blocks)
        self.config, self.block_size = config, block_size
        # Two more slots than are handed out: one that stays empty, and one to which
        # padding tokens are written.
        self.empty_slot = blocks * block_size
        self.padding_slot = self.empty_slot + 1
        shape = (
            config.layers,
            blocks * block_size + 2,
            config.attention.key_value_heads,
            config.head_width,
        )
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.copies = 0  # how many blocks were copied on write

    @classmethod
    def for_model(
        cls, model: DecoderLM, blocks: int, block_size: int = 16
    ) -> "BlockPool":
        """Return an empty pool with the model's settings, dtype and device."""
        weight = model.token_embedding.weight
        return cls(model.config, blocks, block_size, weight.dtype, weight.device)

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
        """Return the places of blocks to be written that have other holders."""
        first = table.length // self.block_size
        last = min(self.blocks_for(table.length + new), len(table.blocks))
        return [
            place
            for place in range(first, last)
            if self.allocator.references(table.blocks[place]) > 1
        ]

    def _slots_of(self, block: int) -> slice:
        return slice(block * self.block_size, (block + 1) * self.block_size)
