"""Steering vectors: the hook, and mean states."""

import pytest
import torch

from genai_tutorial.interpretability import mean_states, steered
from genai_tutorial.transformer import DecoderConfig, DecoderLM

MODEL = DecoderLM(DecoderConfig.gpt2(9, 6, width=8, layers=2, heads=2), seed=0)
IDS = torch.tensor([[1, 2, 3], [4, 5, 6]])


@torch.no_grad()
def test_steered_adds_to_one_state_and_the_blocks_above_continue():
    direction = torch.arange(8.0)
    before = MODEL.hidden_states(IDS)
    with steered(MODEL, 1, direction):
        after = MODEL.hidden_states(IDS)
    assert torch.equal(after[0], before[0])
    torch.testing.assert_close(after[1], before[1] + direction)
    torch.testing.assert_close(after[2], MODEL.blocks[1](before[1] + direction))
    assert torch.equal(MODEL.hidden_states(IDS), before)


def test_steered_is_over_after_an_error():
    before = MODEL.read(IDS)
    with pytest.raises(RuntimeError, match="stop"), steered(MODEL, 1, torch.ones(8)):
        raise RuntimeError("stop")
    assert torch.equal(MODEL.read(IDS), before)


@pytest.mark.parametrize("state", [0, 3])
def test_steered_needs_a_state_after_a_block(state):
    with (
        pytest.raises(ValueError, match="state must be from 1 to 2"),
        steered(MODEL, state, torch.ones(8)),
    ):
        pass


def test_mean_states_leave_out_the_first_position():
    found = mean_states(MODEL, [[1, 2, 3], [4, 5]])
    assert found.shape == (2, 3, 8)
    expected = MODEL.hidden_states(torch.tensor([[1, 2, 3]]))[:, 0, 1:].mean(dim=1)
    torch.testing.assert_close(found[0], expected)
    with pytest.raises(ValueError, match="at least two tokens"):
        mean_states(MODEL, [[1]])
