"""The scheduler without a model: a pass is pretended by moving the lengths."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import Answer
from genai_tutorial.efficiency.batching.cache import BlockPool, BlockTable
from genai_tutorial.efficiency.batching.scheduler import (
    PrefixCache,
    Scheduler,
    block_digest,
    common_length,
)
from genai_tutorial.transformer import DecoderLM
from tests.alignment.models import FAST, LLAMA
from tests.efficiency.batching.requests import request_of


def scheduler_of(
    blocks=20,
    block_size=2,
    max_running=9,
    max_prefill=99,
    shares=False,
    config=LLAMA,
):
    pool = BlockPool(DecoderLM(config), blocks, block_size)
    prefixes = PrefixCache(pool) if shares else None
    scheduler = Scheduler(pool, prefixes, max_running)
    scheduler.max_prefill = max_prefill
    return scheduler


def add(scheduler, *prompts, new=5):
    answers = [Answer(request_of(rest=prompt, new=new)) for prompt in prompts]
    for answer in answers:
        scheduler.add(answer)
    return answers


def run_pass(scheduler, batch):
    for answer in batch:
        scheduler.tables[answer].length = len(answer.text)
    scheduler.has_read(batch)
    for answer in batch:
        answer.ids.append(12)


def test_scheduler_reads_prompts_beside_one_token_of_each_running_text():
    scheduler = scheduler_of()
    first, second = add(scheduler, (2, 3, 4), (5,))
    batch = scheduler.next_batch()
    assert batch == [first, second]
    assert [scheduler.unread(answer) for answer in batch] == [[2, 3, 4], [5]]
    run_pass(scheduler, batch)
    (third,) = add(scheduler, (6, 7))
    batch = scheduler.next_batch()
    assert batch == [first, second, third]
    assert [scheduler.unread(answer) for answer in batch] == [[12], [12], [6, 7]]


def test_scheduler_reads_prompts_first_if_rows_hold_a_single_text():
    scheduler = scheduler_of(config=FAST)
    (first,) = add(scheduler, (2, 3, 4))
    run_pass(scheduler, scheduler.next_batch())
    (second,) = add(scheduler, (6, 7))
    assert scheduler.next_batch() == [second]
    run_pass(scheduler, [second])
    assert scheduler.next_batch() == [first, second]


def test_scheduler_reads_prompts_first_if_too_many_keys_would_be_joined():
    """Up to 96 keys at a width of 16, and 24 new tokens in a context window."""
    scheduler = scheduler_of(blocks=99, max_prefill=999)
    many = add(scheduler, *[(2,) * 18] * 5)  # with the late one just too many
    assert scheduler.next_batch() == many  # padded
    run_pass(scheduler, many)
    (late,) = add(scheduler, (6, 7))
    assert scheduler.next_batch() == [late]
    run_pass(scheduler, [late])
    assert scheduler.next_batch() == [*many, late]


def test_scheduler_starts_requests_in_the_order_of_their_arrival():
    """A short one does not overtake a long one that waits for blocks."""
    scheduler = scheduler_of(blocks=6, block_size=2)
    first, second, third = add(scheduler, (2,) * 6, (3,) * 6, (4,), new=1)
    assert scheduler.next_batch() == [first]
    run_pass(scheduler, [first])
    assert scheduler.next_batch() == [first]
    scheduler.remove(first)
    assert scheduler.next_batch() == [second, third]


def test_scheduler_runs_no_more_than_its_maximum():
    scheduler = scheduler_of(max_running=2)
    answers = add(scheduler, (2,), (3,), (4,))
    assert scheduler.next_batch() == answers[:2]
    run_pass(scheduler, answers[:2])
    scheduler.remove(answers[0])
    assert scheduler.next_batch() == answers[1:]


def test_scheduler_limits_the_positions_of_a_pass_that_reads_prompts():
    scheduler = scheduler_of(blocks=40, max_prefill=6)
    answers = add(scheduler, (2,) * 8, (3,) * 3, (4,) * 2, (5,) * 4)
    passes = []
    for _ in range(3):
        passes.append(scheduler.next_batch())
        run_pass(scheduler, passes[-1])
    assert passes == [answers[:1], answers[:3], answers]


def test_scheduler_preempts_the_request_that_started_last():
    scheduler = scheduler_of(blocks=6, block_size=2)
    first, second = add(scheduler, (2, 3), (4, 5), new=8)
    run_pass(scheduler, scheduler.next_batch())
    for _ in range(4):
        run_pass(scheduler, scheduler.next_batch())
    assert len(scheduler.tables[first].blocks) == 3
    assert scheduler.statistics.preemptions == 0
    run_pass(scheduler, scheduler.next_batch())
    assert scheduler.running == [first]
    assert list(scheduler.waiting) == [second]
    assert scheduler.statistics.preemptions == 1
    scheduler.remove(first)
    assert scheduler.next_batch() == [second]
    assert scheduler.unread(second) == second.text  # it is read again


def test_scheduler_lets_a_request_wait_for_a_beginning_that_is_being_read():
    scheduler = scheduler_of(shares=True)
    first, second, third = add(scheduler, (2, 3, 4), (2, 3, 5), (6, 7, 8))
    assert scheduler.next_batch() == [first, third]
    run_pass(scheduler, [first, third])
    assert scheduler.next_batch() == [first, third, second]
    assert scheduler.unread(second) == [5]
    shared = scheduler.tables[first].blocks[0]
    assert scheduler.tables[second].blocks[0] == shared
    assert scheduler.statistics.prefix_tokens == 2


def test_scheduler_starts_equal_prompts_together_if_no_block_can_be_shared():
    scheduler = scheduler_of(block_size=4, shares=True)
    answers = add(scheduler, (2, 3, 4), (2, 3, 4))
    assert scheduler.next_batch() == answers


def test_scheduler_evicts_known_beginnings_before_it_preempts():
    scheduler = scheduler_of(blocks=6, block_size=2, shares=True)
    (old,) = add(scheduler, (2, 3, 4, 5), new=2)
    run_pass(scheduler, scheduler.next_batch())
    scheduler.remove(old)
    assert len(scheduler.prefixes) == 2
    add(scheduler, (6, 7), (8, 9), new=5)
    for _ in range(4):
        run_pass(scheduler, scheduler.next_batch())
    assert scheduler.prefixes.evictions == 2
    assert scheduler.statistics.preemptions == 0


def test_scheduler_frees_the_blocks_of_a_request_that_is_removed():
    scheduler = scheduler_of()
    running, waiting = add(scheduler, (2, 3), (4, 5))
    scheduler.max_running = 1
    run_pass(scheduler, scheduler.next_batch())
    scheduler.remove(waiting)
    scheduler.remove(running)
    scheduler.remove(running)  # nothing is left to remove
    assert scheduler.pool.allocator.free == scheduler.pool.allocator.total
    assert scheduler.next_batch() == []


def test_scheduler_refuses_a_request_that_can_never_run():
    scheduler = scheduler_of(blocks=4, block_size=2)
    with pytest.raises(ValueError, match="up to 7 tokens and need 5 blocks"):
        add(scheduler, (2, 3), new=5)
    add(scheduler, (2, 3), new=4)


TEXT = st.lists(st.integers(2, 4), min_size=1, max_size=12)


def remember(pool, prefixes, text):
    """As if a pass had read the text and its request were finished."""
    table = prefixes.match(text)
    pool.reserve(table, len(text) - table.length)
    table.length = len(text)
    prefixes.insert(table, text)
    pool.free(table)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.integers(1, 4), st.lists(TEXT, max_size=6), TEXT)
def test_match_finds_the_longest_beginning_in_full_blocks(size, texts, wanted):
    """Against a search through all texts."""
    pool = BlockPool(DecoderLM(LLAMA), 80, size)
    prefixes = PrefixCache(pool)
    for text in texts:
        remember(pool, prefixes, text)
    table = prefixes.match(wanted)
    full = [text[: len(text) // size * size] for text in texts]
    longest = max((common_length(text, wanted[:-1]) for text in full), default=0)
    assert table.length == longest
    assert len(table.blocks) == pool.blocks_for(longest)
    pool.free(table)
    assert 80 - pool.allocator.free == len(prefixes)


@settings(max_examples=100)
@given(st.lists(TEXT, min_size=1, max_size=6), st.integers(0, 40))
def test_evict_keeps_each_known_block_within_reach(texts, evictions):
    """A block is of use only as long as those before it are there."""
    pool = BlockPool(DecoderLM(LLAMA), 80, 2)
    prefixes = PrefixCache(pool)
    for text in texts:
        remember(pool, prefixes, text)
    known = len(prefixes)
    evicted = sum(prefixes.evict() for _ in range(evictions))
    assert evicted == min(known, evictions) == prefixes.evictions
    tables = [prefixes.match([*text, 9]) for text in texts]
    reached = {block for table in tables for block in table.blocks}
    assert len(reached) == len(prefixes) == 80 - pool.allocator.free


def test_evict_spares_blocks_that_a_text_holds():
    pool = BlockPool(DecoderLM(LLAMA), 8, 2)
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
    pool = BlockPool(DecoderLM(LLAMA), 8, 2)
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
    pool = BlockPool(DecoderLM(LLAMA), 8, 4)
    prefixes = PrefixCache(pool)
    remember(pool, prefixes, [2, 3, 4, 5])
    table = prefixes.match([2, 3, 9, 9, 9])
    shared = list(table.blocks)
    assert table == BlockTable(shared, length=2)
    pool.reserve(table, 3)
    assert pool.copies == 1
    assert table.blocks[0] not in shared
    assert prefixes.match([2, 3, 4, 5, 6]).blocks == shared
