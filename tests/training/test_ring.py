"""Ring attention over several processes equals attention over the whole text."""

import pytest
import torch

from genai_tutorial.training import ring_attention
from genai_tutorial.transformer import attention, blockwise_attention, causal_mask
from tests.training import processes

LENGTH = 24


def draw(heads, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, heads, LENGTH, 8, generator=generator)


@pytest.fixture(scope="module")
def inputs():
    return draw(4, 0), draw(2, 1), draw(2, 2)


def in_a_ring(folder, inputs, lengths, is_causal=False):
    started = processes.start(
        len(lengths),
        processes.attend_in_a_ring,
        folder,
        inputs,
        lengths,
        is_causal,
    )
    codes = processes.finish(started)
    assert codes == [0] * len(lengths), [
        path.read_text() for path in folder.glob("error-*.txt")
    ]
    return torch.cat(
        [torch.load(folder / f"ring-{rank}.pt") for rank in range(len(lengths))], dim=-2
    )


@pytest.mark.slow
@pytest.mark.parametrize(("world_size", "is_causal"), [(2, True), (3, False)])
def test_ring_attention_equals_attention(tmp_path, inputs, world_size, is_causal):
    lengths = [LENGTH // world_size] * world_size
    mixed = in_a_ring(tmp_path, inputs, lengths, is_causal)
    mask = causal_mask(LENGTH) if is_causal else None
    torch.testing.assert_close(mixed, attention(*inputs, mask), atol=1e-6, rtol=1e-5)


@pytest.mark.slow
def test_ring_attention_refuses_unequal_parts(tmp_path, inputs):
    started = processes.start(
        2, processes.attend_in_a_ring, tmp_path, inputs, [10, 14], False
    )
    assert 0 not in processes.finish(started)
    messages = [path.read_text() for path in tmp_path.glob("error-*.txt")]
    assert all("got [10, 14] positions: pad the text" in one for one in messages)


def test_ring_attention_of_one_process_is_plain_attention(inputs):
    torch.testing.assert_close(
        ring_attention(*inputs, is_causal=True),
        blockwise_attention(*inputs, LENGTH, is_causal=True),
        atol=0,
        rtol=0,
    )
