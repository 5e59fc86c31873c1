"""Blockwise attention equals attention, whatever the size of the blocks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.transformer import (
    OnlineSoftmax,
    attention,
    blockwise_attention,
    causal_mask,
)


def draw(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


@settings(max_examples=30)
@given(
    length=st.integers(1, 20),
    block_size=st.integers(1, 25),
    heads=st.sampled_from([(1, 1), (4, 2), (4, 1)]),
    is_causal=st.booleans(),
)
def test_blockwise_attention_equals_attention(length, block_size, heads, is_causal):
    many, few = heads
    query = draw(2, many, length, 8, seed=0)
    key, value = draw(2, few, length, 8, seed=1), draw(2, few, length, 6, seed=2)
    mask = causal_mask(length) if is_causal else None
    torch.testing.assert_close(
        blockwise_attention(query, key, value, block_size, is_causal),
        attention(query, key, value, mask),
        atol=1e-12,
        rtol=1e-12,
    )


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
