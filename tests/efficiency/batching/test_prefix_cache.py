import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency.batching.cache import BlockPool, BlockTable
from genai_tutorial.efficiency.batching.scheduler import (
    PrefixCache,
    block_digest,
    common_length,
)
from tests.alignment.models import CONFIGS, LLAMA

TEXT = st.lists(st.integers(2, 4), min_size=1, max_size=12)


def remember(pool, prefixes, text):
    """As if a pass had read the text and its request were finished."""
    table = prefixes.match(text)
    pool.reserve(table, len(text) - table.length)
    table.length = len(text)
    prefixes.insert(table, text)
    pool.free(table)


@settings(max_examples=200)
@given(st.integers(1, 4), st.lists(TEXT, max_size=6), TEXT)
def test_match_finds_the_longest_beginning_in_full_blocks(size, texts, wanted):
    """Against a search through all texts."""
    pool = BlockPool(LLAMA, blocks=80, block_size=size)
    prefixes = PrefixCache(pool)
    for text in texts:
        remember(pool, prefixes, text)
    table = prefixes.match(wanted)
    full = [text[: len(text) // size * size] for text in texts]
    longest = max((common_length(text, wanted[:-1]) for text in full), default=0)
    assert table.length == longest
    assert len(table.blocks) == pool.blocks_for(longest)
    pool.free(table)
    assert pool.allocator.in_use == len(prefixes)


@settings(max_examples=100)
@given(st.lists(TEXT, min_size=1, max_size=6), st.integers(0, 40))
def test_evict_keeps_each_known_block_within_reach(texts, evictions):
    """A block is of use only as long as those before it are there."""
    pool = BlockPool(LLAMA, blocks=80, block_size=2)
    prefixes = PrefixCache(pool)
    for text in texts:
        remember(pool, prefixes, text)
    known = len(prefixes)
    evicted = sum(prefixes.evict() for _ in range(evictions))
    assert evicted == min(known, evictions) == prefixes.evictions
    tables = [prefixes.match([*text, 9]) for text in texts]
    reached = {block for table in tables for block in table.blocks}
    assert len(reached) == len(prefixes) == pool.allocator.in_use


def test_evict_spares_blocks_that_a_text_holds():
    pool = BlockPool(LLAMA, blocks=8, block_size=2)
    prefixes = PrefixCache(pool)
    remember(pool, prefixes, [2, 3, 4, 5])
    remember(pool, prefixes, [6, 7])
    held = prefixes.match([2, 3, 9])
    assert prefixes.evictable == 2
    assert prefixes.evict()
    assert prefixes.evict()
    assert not prefixes.evict()
    assert len(prefixes) == 1
    assert prefixes.match([2, 3, 9]).blocks == held.blocks


def test_evict_takes_the_least_recently_used_text_first():
    pool = BlockPool(LLAMA, blocks=8, block_size=2)
    prefixes = PrefixCache(pool)
    remember(pool, prefixes, [2, 3])
    remember(pool, prefixes, [6, 7])
    pool.free(prefixes.match([2, 3, 9]))
    prefixes.evict()
    assert prefixes.match([2, 3, 9]).length == 2
    assert prefixes.match([6, 7, 9]).length == 0


def test_block_digest_depends_on_what_stands_before():
    first, other = block_digest(b"", [2, 3]), block_digest(b"", [3, 2])
    assert block_digest(first, [4, 5]) != block_digest(other, [4, 5])
    assert block_digest(first, [4, 5]) == block_digest(first, (4, 5))


def test_match_shares_a_block_that_fits_in_part_and_writing_copies_it():
    pool = BlockPool(LLAMA, blocks=8, block_size=4)
    prefixes = PrefixCache(pool)
    remember(pool, prefixes, [2, 3, 4, 5])
    table = prefixes.match([2, 3, 9, 9, 9])
    shared = list(table.blocks)
    assert table == BlockTable(shared, length=2)
    pool.reserve(table, 3)
    assert pool.copies == 1
    assert table.blocks[0] not in shared
    assert prefixes.match([2, 3, 4, 5, 6]).blocks == shared


@pytest.mark.parametrize("name", ["fast, with n-grams", "a window"])
def test_prefix_cache_refuses_models_that_look_back_without_attention(name):
    with pytest.raises(ValueError, match="short convolutions or n-gram"):
        PrefixCache(BlockPool(CONFIGS[name], 2))
