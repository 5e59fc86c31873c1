import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency.batching.cache import BlockAllocator, OutOfBlocks


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
        assert allocator.in_use == len(set(holders)) == 4 - allocator.free
        assert [allocator.references(b) for b in range(4)] == [
            holders.count(b) for b in range(4)
        ]


@pytest.mark.parametrize("block", [0, 1, -1, 7])
@pytest.mark.parametrize("action", ["share", "release"])
def test_allocator_refuses_a_block_that_nobody_holds(action, block):
    allocator = BlockAllocator(2)
    allocator.release(allocator.allocate())
    with pytest.raises(ValueError, match=f"Block {block} is not in use"):
        getattr(allocator, action)(block)


def test_allocator_refuses_an_empty_pool():
    with pytest.raises(ValueError, match="at least one block, got blocks=0"):
        BlockAllocator(0)
