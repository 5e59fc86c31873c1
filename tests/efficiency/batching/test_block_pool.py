import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency.batching.cache import (
    BlockPool,
    BlockTable,
    OutOfBlocks,
    PagedKVCache,
)
from genai_tutorial.efficiency.batching.engine import read_tables
from tests.alignment.models import CONFIGS, LLAMA, model_of
from tests.efficiency.batching.requests import logits_after


@settings(max_examples=200)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.booleans())),
)
def test_reserve_takes_what_blocks_needed_says_or_nothing(size, steps):
    pool = BlockPool(LLAMA, blocks=8, block_size=size)
    tables = [BlockTable() for _ in range(3)]
    for number, new, forks in steps:
        table = tables[number]
        needed, free = pool.blocks_needed(table, new), pool.allocator.free
        held = list(table.blocks)
        if needed > free:
            with pytest.raises(OutOfBlocks, match=f"needs {needed} more blocks"):
                pool.reserve(table, new)
            assert (table.blocks, pool.allocator.free) == (held, free)
            pool.free(table)
            continue
        pool.reserve(table, new)
        assert pool.allocator.free == free - needed
        table.length += new
        assert len(table.blocks) == pool.blocks_for(table.length)
        if forks:
            other = (number + 1) % 3
            pool.free(tables[other])
            tables[other] = pool.fork(table)
    for table in tables:
        pool.free(table)
    assert pool.allocator.in_use == 0


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_fork_continues_both_texts_without_changing_either(config):
    model = model_of(config).double()
    cache = PagedKVCache(BlockPool.for_model(model, blocks=20, block_size=4))
    first, beginning = BlockTable(), [2, 3, 4, 5, 6, 7]
    read_tables(model, cache, [first], [beginning])
    second = cache.pool.fork(first)
    for tokens in ([8, 9], [10, 11], [3, 2]):
        logits = read_tables(model, cache, [first, second], [[t] for t in tokens])
    texts = [[*beginning, 8, 10, 3], [*beginning, 9, 11, 2]]
    whole = torch.stack([logits_after(model, text) for text in texts])
    torch.testing.assert_close(logits, whole, atol=1e-12, rtol=0)
    assert cache.pool.copies == 1
    assert first.blocks[0] == second.blocks[0]


def test_block_pool_refuses_an_empty_block():
    with pytest.raises(ValueError, match="block_size must be at least 1, got 0"):
        BlockPool(LLAMA, blocks=2, block_size=0)


def test_block_pool_shares_only_what_attention_reads():
    shares = {name: BlockPool(config, 2).can_share for name, config in CONFIGS.items()}
    assert shares["Llama"]
    assert shares["ALiBi"]
    assert not shares["fast, with n-grams"]
    assert not shares["a window"]  # it has short convolutions


def test_block_pool_joins_texts_as_long_as_their_keys_are_cheap():
    pool = BlockPool(LLAMA, 2)
    assert pool.joins(new=24, keys=96)
    assert not pool.joins(new=25, keys=96)
    assert not pool.joins(new=24, keys=97)
    assert not BlockPool(CONFIGS["fast, with n-grams"], 2).joins(new=2, keys=2)
