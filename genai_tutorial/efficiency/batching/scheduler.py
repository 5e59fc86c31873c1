"""Which requests take part in the next forward pass, and the prefix cache: blocks of
earlier texts, found by their content, so that a common prefix is processed once.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .cache import BlockPool, BlockTable
from .requests import Answer, Statistics

START = b""
"""The digest of the empty text, before the first block."""


class CachedBlock(NamedTuple):
    """A full block that the cache holds."""

    block: int
    tokens: tuple[int, ...]
    before: bytes


class PrefixCache:
    """Finds the blocks that hold a prefix of a text, for pools that `can_share`.

    Source: Zheng et al., SGLang, section 3 (reuse of prefixes with an LRU policy),
        https://arxiv.org/abs/2312.07104
    """

    def __init__(self, pool: BlockPool):
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


class Scheduler:
    """Keeps the requests that wait and those that run, first come, first served.

    Source: Yu et al., Orca, section 3 (S1, iteration-level scheduling, and S2),
        https://www.usenix.org/conference/osdi22/presentation/yu; Kwon et al.,
        PagedAttention, section 4.5 (preemption by recomputation),
        https://arxiv.org/abs/2309.06180
    """

    max_prefill = 2048  # positions in a pass that reads several prompts

    def __init__(self, pool: BlockPool, prefixes: PrefixCache | None, max_running: int):
        self.pool, self.prefixes, self.max_running = pool, prefixes, max_running
        self.waiting: deque[Answer] = deque()
        self.running: list[Answer] = []  # in the order of their start
        self.tables: dict[Answer, BlockTable] = {}  # of those that run
        self.statistics = Statistics()

    def add(self, answer: Answer) -> None:
        """Put a request at the end of the queue."""
        longest = answer.request.longest
        # One more for the block that is copied when a shared prefix ends inside it.
        needed = self.pool.blocks_for(longest) + 1
        if needed > self.pool.allocator.total:
            raise ValueError(
                f"Prompt and answer have up to {longest} tokens and need {needed} "
                f"blocks; the cache has {self.pool.allocator.total}. Ask for a shorter "
                "answer, or make the cache with more blocks."
            )
        self.waiting.append(answer)

    def remove(self, answer: Answer) -> None:
        """Remove a request and free its blocks; the prefix cache keeps their content
        until it needs the space.
        """
        if answer in self.tables:
            self._give_up(answer)
        elif answer in self.waiting:
            self.waiting.remove(answer)

    def next_batch(self) -> list[Answer]:
        """Return the requests of the next pass, with blocks for their unread tokens;
        none if nothing waits or runs.
        """
        if self.waiting:
            running = sum(len(answer.text) for answer in self.running)
            first = len(self.waiting[0].text)
            if not self.pool.joins(len(self.running) + first, running + first):
                return self._start([]) or self._continue()
        before = self.statistics.preemptions
        running = self._continue()
        if self.statistics.preemptions > before:
            return running
        return running + self._start(running)

    def unread(self, answer: Answer) -> list[int]:
        """Return the tokens of a running request that have not been read yet."""
        return answer.text[self.tables[answer].length :]

    def has_read(self, answers: Sequence[Answer]) -> None:
        """Add the texts of a prefill pass to the prefix cache."""
        if self.prefixes is not None:
            for answer in answers:
                self.prefixes.insert(self.tables[answer], answer.text)

    def _start(self, beside: list[Answer]) -> list[Answer]:
        """Start requests in the next pass, in which these already take part."""
        started: list[Answer] = []
        unread, longest = len(beside), 0
        keys = sum(len(answer.text) for answer in beside)
        new_prefixes: set[tuple[int, ...]] = set()  # that this pass will make known
        for answer in list(self.waiting):
            if len(self.running) == self.max_running:
                break
            text = answer.text
            table = BlockTable() if self.prefixes is None else self.prefixes.match(text)
            next_block = tuple(text[: self._end_of_next_block(table)])
            if self.prefixes is not None and next_block in new_prefixes:
                # One pass later, it can share what this pass reads.
                self.pool.free(table)
                continue
            new = len(text) - table.length
            unread, longest = unread + new, max(longest, new)
            keys += len(text)
            joined = self.pool.joins(unread, keys)
            positions = unread if joined else (len(started) + 1) * longest
            too_long = (started and positions > self.max_prefill) or (
                beside and not joined
            )
            # Each running request may soon need a block.
            needed = self.pool.blocks_needed(table, new) + len(self.running)
            if too_long or needed > self._available():
                self.pool.free(table)
                break
            self._make_room(self.pool.blocks_needed(table, new))
            self.statistics.prefix_tokens += table.length
            self.pool.reserve(table, new)
            self.tables[answer] = table
            self.waiting.remove(answer)
            self.running.append(answer)
            started.append(answer)
            if len(text) >= len(next_block) == self._end_of_next_block(table):
                new_prefixes.add(next_block)
        return started

    def _continue(self) -> list[Answer]:
        batch: list[Answer] = []
        for answer in list(self.running):
            while answer in self.tables:
                if self._make_room(self.pool.blocks_needed(self.tables[answer], 1)):
                    self.pool.reserve(self.tables[answer], 1)
                    batch.append(answer)
                    break
                last = self.running[-1]
                self._give_up(last)
                self.waiting.appendleft(last)
                self.statistics.preemptions += 1
        return batch

    def _give_up(self, answer: Answer) -> None:
        table = self.tables.pop(answer)
        self.running.remove(answer)
        if self.prefixes is not None:
            self.prefixes.insert(table, answer.text)
        self.pool.free(table)

    def _end_of_next_block(self, table: BlockTable) -> int:
        size = self.pool.block_size
        return (table.length // size + 1) * size

    def _available(self) -> int:
        evictable = 0 if self.prefixes is None else self.prefixes.evictable
        return self.pool.allocator.free + evictable

    def _make_room(self, blocks: int) -> bool:
        """Evict cached prefixes until this many blocks are free, and return whether
        they are.
        """
        while self.pool.allocator.free < blocks:
            if self.prefixes is None or not self.prefixes.evict():
                return False
        return True
