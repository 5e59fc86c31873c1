"""The prefix cache: blocks of earlier texts, found by their content, so that a prefix
that several texts have in common is processed once.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .block_pool import BlockPool
from .blocks import BlockTable

START = b""
"""The digest of the empty text, before the first block."""


@dataclass(frozen=True)
class CachedBlock:
    """A full block that the cache holds."""

    block: int
    tokens: tuple[int, ...]
    before: bytes


class PrefixCache:
    """Finds the blocks that hold a prefix of a text.

    Source: Zheng et al., SGLang, section 3 (reuse of prefixes with an LRU policy),
        https://arxiv.org/abs/2312.07104
    """

    def __init__(self, pool: BlockPool):
        if not pool.can_share:
            raise ValueError(
                "A model with short convolutions or n-gram embeddings cannot continue "
                "another text's prefix from its keys and values alone."
            )
        self.pool = pool
        self._blocks: dict[bytes, CachedBlock] = {}  # the least recently used is first
        self._after: dict[bytes, set[bytes]] = defaultdict(set)
        self.evictions = 0

    def __len__(self) -> int:
        """Return the number of blocks that the cache holds."""
        return len(self._blocks)

    @property
    def evictable(self) -> int:
        """The number of blocks whose only holder is the cache."""
        return sum(self._is_evictable(cached) for cached in self._blocks.values())

    def match(self, ids: Sequence[int]) -> BlockTable:
        """Return a table that shares the longest known prefix of a text, leaving at
        least its last token to be read.
        """
        size, most = self.pool.block_size, len(ids) - 1
        table, path, before = BlockTable(), [], START
        while table.length + size <= most:
            digest = block_digest(before, ids[table.length : table.length + size])
            if digest not in self._blocks:
                break
            table.length += size
            path.append(digest)
            before = digest
        rest = ids[table.length : most]
        following = {
            digest: common_length(self._blocks[digest].tokens, rest)
            for digest in self._after.get(before, ())
        }
        best = max(following, key=following.__getitem__, default=None)
        if best is not None and following[best]:
            table.length += following[best]
            path.append(best)
        for digest in path:
            table.blocks.append(self._blocks[digest].block)
            self.pool.allocator.share(table.blocks[-1])
        self._touch(path)
        return table

    def insert(self, table: BlockTable, ids: Sequence[int]) -> None:
        """Add the full blocks of a text that has been read."""
        size, path, before = self.pool.block_size, [], START
        for place in range(table.length // size):
            tokens = tuple(ids[place * size : (place + 1) * size])
            digest = block_digest(before, tokens)
            if digest not in self._blocks:
                block = table.blocks[place]
                self.pool.allocator.share(block)
                self._blocks[digest] = CachedBlock(block, tokens, before)
                self._after[before].add(digest)
            path.append(digest)
            before = digest
        self._touch(path)

    def evict(self) -> bool:
        """Release the least recently used block that no text holds, and return
        whether there was one.
        """
        for digest, cached in self._blocks.items():
            if self._is_evictable(cached):
                del self._blocks[digest]
                self._after[cached.before].discard(digest)
                if not self._after[cached.before]:
                    del self._after[cached.before]
                self.pool.allocator.release(cached.block)
                self.evictions += 1
                return True
        return False

    def _is_evictable(self, cached: CachedBlock) -> bool:
        return self.pool.allocator.references(cached.block) == 1

    def _touch(self, path: Sequence[bytes]) -> None:
        """Mark blocks as used."""
        for digest in reversed(path):
            self._blocks[digest] = self._blocks.pop(digest)


def block_digest(before: bytes, tokens: Sequence[int]) -> bytes:
    """Return the digest of a block's tokens and of all earlier ones."""
    return hashlib.sha256(before + np.asarray(tokens, np.int64).tobytes()).digest()


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Return the number of tokens that two texts begin with alike."""
    pairs = zip(first, second, strict=False)
    different = (place for place, (a, b) in enumerate(pairs) if a != b)
    return next(different, min(len(first), len(second)))
