"""Blockwise attention equals attention, whatever the size of the blocks."""

import pytest
import torch

from genai_tutorial.transformer import (
    OnlineSoftmax,
    attention,
    blockwise_attention,
)


def draw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def test_blockwise_attention_survives_large_scores():
    """exp(1000) overflows, so without the running maximum the result would be nan."""
    query, key = draw(3, 4) * 100, draw(9, 4, seed=1) * 100
    value = draw(9, 2, seed=2)
    torch.testing.assert_close(
        blockwise_attention(query, key, value, 2), attention(query, key, value)
    )


def test_blockwise_attention_loses_digits_with_a_bfloat16_state():
    query, key, value = (draw(256, 64, seed=seed).float() for seed in range(3))
    exact = attention(query.double(), key.double(), value.double())

    def error(**options):
        mixed = blockwise_attention(query, key, value, 16, **options)
        return (mixed.double() - exact).abs().max().item()

    assert error() < 2e-6
    assert error(state_dtype=torch.bfloat16) > 1e-3


def test_blockwise_attention_refuses_empty_blocks():
    with pytest.raises(ValueError, match="block_size must be at least 1"):
        blockwise_attention(draw(2, 4), draw(2, 4), draw(2, 4), 0)


def test_online_softmax_gives_zeros_to_queries_without_a_key():
    state = OnlineSoftmax.empty(torch.zeros(2, 1))
    scores = torch.tensor([[0.0, 0.0], [-torch.inf, -torch.inf]])
    state = state.update(scores, torch.tensor([[2.0], [4.0]]))
    assert state.output().tolist() == [[3.0], [0.0]]
    later = state.update(torch.tensor([[-torch.inf], [1.0]]), torch.tensor([[7.0]]))
    assert later.output().tolist() == [[3.0], [7.0]]
