"""Blocks, their pool, and the paged cache."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency.batching.cache import (
    BlockAllocator,
    BlockPool,
    BlockTable,
    OutOfBlocks,
    PagedKVCache,
)
from genai_tutorial.efficiency.batching.engine import read_tables
from genai_tutorial.transformer import DecoderLM
from tests.alignment.models import CONFIGS, LLAMA, model_of
from tests.efficiency.batching.requests import logits_after


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from(["allocate", "share", "release"]), st.randoms()))
)
def test_allocator_counts_like_a_multiset(steps):
    """Against a plain list in which each holder is an entry of its own."""
    allocator, holders = BlockAllocator(4), []
    for step, random in steps:
        if step == "allocate" and len(set(holders)) == 4:
            with pytest.raises(OutOfBlocks, match="All 4 blocks are in use"):
                allocator.allocate()
        elif step == "allocate":
            block = allocator.allocate()
            assert block not in holders
            holders.append(block)
        elif holders:
            block = random.choice(holders)
            getattr(allocator, step)(block)
            if step == "share":
                holders.append(block)
            else:
                holders.remove(block)
        assert 4 - allocator.free == len(set(holders))
        assert [allocator.references(b) for b in range(4)] == [
            holders.count(b) for b in range(4)
        ]


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.booleans())),
)
def test_reserve_takes_what_blocks_needed_says_or_nothing(size, steps):
    pool = BlockPool(DecoderLM(LLAMA), 8, size)
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
    assert pool.allocator.free == 8


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_fork_continues_both_texts_without_changing_either(config):
    model = model_of(config).double()
    cache = PagedKVCache(BlockPool(model, 20, 4))
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


def test_block_pool_shares_only_what_attention_reads():
    shares = {
        name: BlockPool(DecoderLM(config), 2, 16).can_share
        for name, config in CONFIGS.items()
    }
    assert shares["Llama"]
    assert shares["ALiBi"]
    assert not shares["fast, with n-grams"]
    assert not shares["a window"]  # it has short convolutions


def test_block_pool_joins_texts_as_long_as_their_keys_are_cheap():
    pool = BlockPool(DecoderLM(LLAMA), 2, 16)
    assert pool.joins(new=24, keys=96)
    assert not pool.joins(new=25, keys=96)
    assert not pool.joins(new=24, keys=97)
    alone = BlockPool(DecoderLM(CONFIGS["fast, with n-grams"]), 2, 16)
    assert not alone.joins(new=2, keys=2)


ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def cache_of(model, blocks=40, block_size=4):
    return PagedKVCache(BlockPool(model, blocks, block_size))


@pytest.mark.parametrize("name", ["Llama", "GPT-2", "ALiBi"])
def test_paged_cache_joins_texts_of_different_lengths_to_one_row(name):
    model = model_of(CONFIGS[name]).double()
    cache, shapes = cache_of(model), []
    read = model.read
    model.read = lambda ids, context: shapes.append(ids.shape) or read(ids, context)
    tables = [BlockTable() for _ in range(3)]
    texts = [[2, 3, 4, 5, 6], [9], [10, 11, 12, 2]]
    read_tables(model, cache, tables, texts)
    ends = [[7], [8, 8, 8], [9]]
    logits = read_tables(model, cache, tables, ends)
    model.read = read
    pairs = zip(texts, ends, strict=True)
    whole = torch.stack([logits_after(model, [*text, *end]) for text, end in pairs])
    torch.testing.assert_close(logits, whole, atol=1e-12, rtol=0)
    assert shapes == [(1, 10), (1, 5)]


@pytest.mark.slow
@settings(max_examples=100)
@given(
    st.sampled_from(sorted(CONFIGS)),
    st.integers(1, 5),
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.integers(1, 6)),
            min_size=1,
            max_size=4,
            unique_by=lambda row: row[0],
        ),
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
def test_paged_cache_reads_any_mix_of_texts(name, block_size, passes, random):
    model = model_of(CONFIGS[name]).double()
    cache = cache_of(model, blocks=100, block_size=block_size)
    tables = [BlockTable() for _ in range(4)]
    texts = [[] for _ in range(4)]
    for rows in passes:
        new = {n: [random.randint(0, 12) for _ in range(count)] for n, count in rows}
        new = {n: ids for n, ids in new.items() if len(texts[n]) + len(ids) <= 24}
        if not new:
            continue
        logits = read_tables(model, cache, [tables[n] for n in new], list(new.values()))
        for row, (number, ids) in enumerate(new.items()):
            texts[number] += ids
            whole = logits_after(model, texts[number])
            torch.testing.assert_close(logits[row], whole, atol=1e-12, rtol=0)


def test_paged_cache_reads_a_text_up_to_the_end_of_the_context_window():
    """The padding of a short row has no positions beyond the window."""
    model = model_of(CONFIGS["GPT-2"]).double()
    cache, long, short = cache_of(model), BlockTable(), BlockTable()
    read_tables(model, cache, [long], [[3] * 20])
    logits = read_tables(model, cache, [long, short], [[4] * 4, [5] * 9])
    whole = torch.stack([logits_after(model, t) for t in ([3] * 20 + [4] * 4, [5] * 9)])
    torch.testing.assert_close(logits, whole, atol=1e-12, rtol=0)


def test_paged_cache_keeps_values_that_are_not_numbers_from_other_rows():
    model = model_of(CONFIGS["fast, with n-grams"])
    with torch.no_grad():
        model.token_embedding.weight[7] = torch.nan
    cache, bad, good = cache_of(model), BlockTable(), BlockTable()
    logits = read_tables(model, cache, [bad, good], [[7, 7], [2, 3, 4, 5, 6]])
    assert logits[0].isnan().all()
    whole = logits_after(model, [2, 3, 4, 5, 6])
    torch.testing.assert_close(logits[1], whole, atol=1e-5, rtol=0)
    cache.pool.free(bad)  # its block is used again, with the old values in it
    third = BlockTable()
    logits = read_tables(model, cache, [third, good], [[8], [9]])
    for row, text in enumerate(([8], [2, 3, 4, 5, 6, 9])):
        whole = logits_after(model, text)
        torch.testing.assert_close(logits[row], whole, atol=1e-5, rtol=0)


@ALL
def test_paged_cache_repeats_a_pass_that_failed(config, monkeypatch):
    model = model_of(config).double()
    cache, table = cache_of(model), BlockTable()
    read_tables(model, cache, [table], [[2, 3, 4]])

    def fail(*_):
        raise RuntimeError("no power")

    with monkeypatch.context() as patched:
        patched.setattr(model.blocks[1].feed_forward, "forward", fail)
        with pytest.raises(RuntimeError, match="no power"):
            read_tables(model, cache, [table], [[9, 9]])
    assert table.length == 3
    logits = read_tables(model, cache, [table], [[5, 6]])[0]
    whole = logits_after(model, [2, 3, 4, 5, 6])
    torch.testing.assert_close(logits, whole, atol=1e-12, rtol=0)


def test_paged_cache_out_of_blocks_says_how_many():
    model = model_of(LLAMA)
    with pytest.raises(OutOfBlocks, match="needs 3 more blocks and 2 are free"):
        read_tables(model, cache_of(model, 2, 2), [BlockTable()], [[2, 3, 4, 5, 6]])
