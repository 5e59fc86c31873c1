"""Patched states and heads, exactly and by one backward pass."""

import pytest
import torch

from genai_tutorial.interpretability import (
    ablated,
    attribution_patching,
    head_outputs,
    patched,
    patching_grid,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

IDS = torch.tensor([[1, 2, 3, 4], [5, 6, 7, 8], [2, 2, 9, 1]])
SOURCE = IDS.roll(1, dims=0)


def small_model() -> DecoderLM:
    return DecoderLM(DecoderConfig.llama(11, 8, 16, 3, 4, 2, 32), seed=1)


def test_patched_state_equals_the_source_and_later_blocks_see_it():
    model = small_model()
    states = model.hidden_states(SOURCE)
    with patched(model, 2, 1, states[2][:, 1]):
        seen = model.hidden_states(IDS)
    own = model.hidden_states(IDS)
    assert torch.equal(seen[2][:, 1], states[2][:, 1])
    assert torch.equal(seen[2][:, [0, 2, 3]], own[2][:, [0, 2, 3]])
    # Causal: earlier positions cannot notice, later ones do.
    assert torch.equal(seen[3][:, 0], own[3][:, 0])
    assert not torch.allclose(seen[3][:, 3], own[3][:, 3])


def test_patching_every_position_gives_the_source_run():
    model, states = small_model(), small_model().hidden_states(SOURCE)
    x = IDS
    with (
        patched(model, 1, 0, states[1][:, 0]),
        patched(model, 1, 1, states[1][:, 1]),
        patched(model, 1, 2, states[1][:, 2]),
        patched(model, 1, 3, states[1][:, 3]),
    ):
        torch.testing.assert_close(model(x), model(SOURCE))


def test_patched_does_not_write_into_its_vectors_and_ends_with_the_block():
    model = small_model()
    before, vectors = model(IDS), torch.ones(1, 16)

    def fail():
        with patched(model, 3, -1, vectors):
            assert torch.equal(model.read(IDS)[:, -1], torch.ones(3, 16))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert torch.equal(model(IDS), before)
    assert torch.equal(vectors, torch.ones(1, 16))


@pytest.mark.parametrize("state", [0, 4, -1])
def test_patched_refuses_a_state_that_no_block_returns(state):
    changed = patched(small_model(), state, 0, torch.zeros(1, 16))
    with pytest.raises(ValueError, match="state must be from 1 to 3"), changed:
        pass


def test_grid_equals_patching_one_by_one():
    model = small_model()
    states = model.hidden_states(SOURCE)
    grid = patching_grid(model, IDS, SOURCE, [1, 3], [0, 2, -1])
    assert grid.shape == (2, 3, 3, 16)
    for s, state in enumerate([1, 3]):
        for p, position in enumerate([0, 2, -1]):
            with patched(model, state, position, states[state][:, position]):
                expected = model.read(IDS)[:, -1]
            torch.testing.assert_close(grid[s, p], expected)


def test_grid_at_the_embeddings_exchanges_the_token():
    model, changed = small_model(), IDS.clone()
    changed[:, 1] = SOURCE[:, 1]
    grid = patching_grid(model, IDS, SOURCE, [0], [1])
    torch.testing.assert_close(grid[0, 0], model.read(changed)[:, -1])


def test_head_outputs_are_what_the_output_layer_reads():
    model = small_model()
    outputs, states = head_outputs(model, IDS), model.hidden_states(IDS)
    assert outputs.shape == (3, 3, 4, 4, 4)
    block = model.blocks[1]
    written = block.attention(block.attention_norm(states[1]))
    torch.testing.assert_close(block.attention.output(outputs[1].flatten(-2)), written)


def test_all_heads_of_the_last_block_carry_what_attention_adds():
    """With the last block's heads from the source, its attention adds the same."""
    model = small_model()
    source = head_outputs(model, SOURCE)
    with ablated(model, [(2, head) for head in range(4)], source):
        found = head_outputs(model, IDS)
    assert torch.equal(found[:2], head_outputs(model, IDS)[:2])
    x = model.hidden_states(IDS)[2]
    block = model.blocks[2]
    expected = x + block.attention.output(source[2].flatten(-2))
    expected = expected + block.feed_forward(block.feed_forward_norm(expected))
    with ablated(model, [(2, head) for head in range(4)], source):
        torch.testing.assert_close(model.read(IDS), expected)


def test_attribution_equals_the_derivative_of_a_patch():
    """A hundredth of the way from a head's own output to the source's."""
    model = small_model().double().requires_grad_(False)
    source, own = head_outputs(model, SOURCE), head_outputs(model, IDS)

    def measure(last):
        return last.square().sum(dim=1)

    estimate = attribution_patching(model, IDS, source, measure)
    before = measure(model.read(IDS)[:, -1])
    step = 1e-5
    for layer in range(3):
        for head in range(4):
            mixed = own.clone()
            mixed[:, :, -1] += step * (source - own)[:, :, -1]
            with ablated(model, [(layer, head)], mixed):
                after = measure(model.read(IDS)[:, -1])
            slope = (after - before) / step
            torch.testing.assert_close(
                estimate[layer, :, head], slope, rtol=1e-3, atol=1e-4
            )
