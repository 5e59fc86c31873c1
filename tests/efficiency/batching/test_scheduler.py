"""The scheduler without a model: a pass is pretended by moving the lengths."""

import pytest

from genai_tutorial.efficiency import Answer
from genai_tutorial.efficiency.batching.cache import BlockPool
from genai_tutorial.efficiency.batching.scheduler import PrefixCache, Scheduler
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
    pool = BlockPool(config, blocks, block_size)
    prefixes = PrefixCache(pool) if shares else None
    return Scheduler(pool, prefixes, max_running, max_prefill)


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
    assert scheduler.pool.allocator.in_use == 0
    assert scheduler.next_batch() == []


def test_scheduler_refuses_a_request_that_can_never_run():
    scheduler = scheduler_of(blocks=4, block_size=2)
    with pytest.raises(ValueError, match="up to 7 tokens and need 5 blocks"):
        add(scheduler, (2, 3), new=5)
    add(scheduler, (2, 3), new=4)


@pytest.mark.parametrize("name", ["max_running", "max_prefill"])
def test_scheduler_refuses_numbers_below_one(name):
    with pytest.raises(ValueError, match="must be at least 1"):
        scheduler_of(**{name: 0})
