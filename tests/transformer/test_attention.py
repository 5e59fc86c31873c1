import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.transformer import MultiHeadAttention, RotaryEmbedding, attention, attention_weights, causal_mask


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_numbers_that_a_pencil_gives():
    query = torch.tensor([[1.0, 0.0]])
    key = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    share = torch.exp(torch.tensor(2 / 2**0.5))
    expected = torch.tensor([[share / (share + 1), 1 / (share + 1)]])
    torch.testing.assert_close(attention_weights(query, key), expected)
    torch.testing.assert_close(attention(query, key, torch.tensor([[1.0], [0.0]])), expected[:, :1])


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 8), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_weights_are_averages_and_masked_keys_get_none(batch, queries, keys, dim, seed):
    query, key = random(batch, queries, dim, seed=seed), random(batch, keys, dim, seed=seed + 1)
    mask = torch.rand(queries, keys, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[:, 0] = True
    weights = attention_weights(query, key, mask)
    assert weights.shape == (batch, queries, keys)
    torch.testing.assert_close(weights.sum(-1), torch.ones(batch, queries))
    assert (weights >= 0).all()
    assert (weights[:, ~mask] == 0).all()


def test_dividing_by_the_root_of_the_width_keeps_scores_at_one():
    query, key = random(2000, 1, 256), random(2000, 1, 256, seed=1)
    scores = (query @ key.mT / 256**0.5).flatten()
    assert 0.9 < scores.std() < 1.1


@pytest.mark.parametrize("rotary", [None, RotaryEmbedding(4, 10)])
@pytest.mark.parametrize("query_key_norm", [False, True])
def test_the_fused_kernel_and_the_maps_are_the_same_attention(rotary, query_key_norm):
    torch.manual_seed(0)
    layer = MultiHeadAttention(12, 3, bias=True, rotary=rotary, query_key_norm=query_key_norm)
    x = random(2, 7, 12)
    value = layer.value(x).unflatten(-1, (3, 4)).transpose(1, 2)
    by_hand = layer.output((layer.weights(x) @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x), by_hand)


def test_maps_look_back_only():
    torch.manual_seed(0)
    maps = MultiHeadAttention(8, 2).weights(random(1, 6, 8))
    assert maps.shape == (1, 2, 6, 6)
    assert (maps[..., ~causal_mask(6)] == 0).all()


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match=r"heads must divide width.*heads=3, width=8"):
        MultiHeadAttention(8, 3)
