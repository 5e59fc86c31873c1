"""Blocks of a KV cache: which are free, and how many texts hold each."""

from dataclasses import dataclass, field

from torch import Tensor, nn


class OutOfBlocks(RuntimeError):
    """Raised when a cache has fewer free blocks than a text needs."""


class BlockAllocator:
    """Hands out the numbers of blocks and counts how many texts hold each.

    Source: Kwon et al., Efficient Memory Management for Large Language Model Serving
        with PagedAttention, sections 4.2 and 4.4, https://arxiv.org/abs/2309.06180
    """

    def __init__(self, blocks: int):
        if blocks < 1:
            raise ValueError(f"A cache needs at least one block, got blocks={blocks}.")
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

    @property
    def in_use(self) -> int:
        """The number of blocks with at least one holder."""
        return self.total - self.free

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
        self._check(block)
        self._references[block] += 1

    def release(self, block: int) -> None:
        """Remove a holder from a block, and free it if that was the last one."""
        self._check(block)
        self._references[block] -= 1
        if not self._references[block]:
            self._free.append(block)

    def references(self, block: int) -> int:
        """Return the number of holders of a block."""
        return self._references[block]

    def _check(self, block: int) -> None:
        if not 0 <= block < self.total or not self._references[block]:
            raise ValueError(
                f"Block {block} is not in use; it may have been released twice."
            )


@dataclass
class BlockTable:
    """The blocks of one text, in the order of its positions."""

    blocks: list[int] = field(default_factory=list)
    length: int = 0
    last_inputs: dict[nn.Module, Tensor] = field(default_factory=dict, repr=False)
