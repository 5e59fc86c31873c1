import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.transformer import (
    AttentionContext,
    MultiHeadAttention,
    RotaryEmbedding,
    attention,
    attention_weights,
    causal_mask,
    padding_mask,
    rotary_frequencies,
    sliding_window_mask,
)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_attention_matches_hand_calculation():
    query = torch.tensor([[1.0, 0.0]])
    key = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    share = torch.exp(torch.tensor(2 / 2**0.5))
    expected = torch.tensor([[share / (share + 1), 1 / (share + 1)]])
    torch.testing.assert_close(attention_weights(query, key), expected)
    torch.testing.assert_close(
        attention(query, key, torch.tensor([[1.0], [0.0]])), expected[:, :1]
    )


@given(
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(1, 8),
    st.integers(0, 10_000),
)
@settings(max_examples=30)
def test_attention_weights_sum_to_one_and_masked_keys_get_zero(
    batch, queries, keys, dim, seed
):
    query, key = (
        random(batch, queries, dim, seed=seed),
        random(batch, keys, dim, seed=seed + 1),
    )
    mask = (
        torch.rand(queries, keys, generator=torch.Generator().manual_seed(seed)) < 0.5
    )
    mask[:, 0] = True
    weights = attention_weights(query, key, mask)
    assert weights.shape == (batch, queries, keys)
    torch.testing.assert_close(weights.sum(-1), torch.ones(batch, queries))
    assert (weights >= 0).all()
    assert (weights[:, ~mask] == 0).all()


@pytest.mark.parametrize(
    "rotary", [None, RotaryEmbedding(rotary_frequencies(4, 10_000), 10)]
)
@pytest.mark.parametrize("query_key_norm", [False, True])
def test_fused_attention_equals_weights_times_values(rotary, query_key_norm):
    torch.manual_seed(0)
    layer = MultiHeadAttention(
        12, 3, bias=True, rotary=rotary, query_key_norm=query_key_norm
    )
    x = random(2, 7, 12)
    value = layer.value(x).unflatten(-1, (3, 4)).transpose(1, 2)
    by_hand = layer.output((layer.weights(x) @ value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(layer(x), by_hand)


def test_attention_weights_are_causal():
    torch.manual_seed(0)
    maps = MultiHeadAttention(8, 2).weights(random(1, 6, 8))
    assert maps.shape == (1, 2, 6, 6)
    assert (maps[..., ~causal_mask(6)] == 0).all()


LAYERS = {
    "groups": {"key_value_heads": 1},
    "a window": {"window": 3},
    "alibi": {"alibi": True, "key_value_heads": 2},
    "alibi and a window": {"alibi": True, "window": 2},
    "an encoder": {"causal": False},
}


@pytest.mark.parametrize("settings", LAYERS.values(), ids=LAYERS.keys())
@pytest.mark.parametrize("padded", [False, True])
def test_attention_weights_match_forward_pass(settings, padded):
    torch.manual_seed(0)
    layer, x = MultiHeadAttention(16, 4, **settings), random(2, 7, 16)
    context = AttentionContext.padded(torch.tensor([7, 4]), 7) if padded else None
    maps = layer.weights(x, context)
    value = layer.value(x).unflatten(-1, (-1, 4)).transpose(1, 2)
    value = value.repeat_interleave(4 // value.shape[1], dim=1)
    torch.testing.assert_close(
        layer(x, context), layer.output((maps @ value).transpose(1, 2).flatten(2))
    )
    if padded:
        assert (maps[1, :, :, 4:] == 0).all()
        assert (maps[1, :, :, :4].sum(-1) > 0.1).any()


def test_grouped_queries_share_neighbouring_key_heads():
    query, key, value = (
        random(1, 4, 3, 8),
        random(1, 2, 5, 8, seed=1),
        random(1, 2, 5, 6, seed=2),
    )
    found = attention(query, key, value)
    for head in range(4):
        torch.testing.assert_close(
            found[:, head],
            attention(query[:, head], key[:, head // 2], value[:, head // 2]),
        )


def test_attention_bias_is_added_to_scores():
    query, key = random(2, 3, 4), random(2, 3, 4, seed=1)
    share = attention_weights(query, key, bias=torch.tensor([[0.0, 1.0, 0.0]]))
    ratio = share / attention_weights(query, key)
    torch.testing.assert_close(
        ratio[..., 1] / ratio[..., 0], torch.full((2, 3), 1.0).exp()
    )


@given(st.integers(1, 12), st.integers(1, 15))
@settings(max_examples=30)
def test_sliding_window_mask_covers_self_and_predecessors(length, window):
    mask = sliding_window_mask(length, window)
    for query in range(length):
        assert mask[query].nonzero()[:, 0].tolist() == list(
            range(max(0, query - window + 1), query + 1)
        )
    assert torch.equal(sliding_window_mask(length, length), causal_mask(length))


def test_masks_combine_with_and():
    both = causal_mask(3) & padding_mask(torch.tensor([1, 3]), 3)
    assert both.shape == (2, 1, 3, 3)
    assert both[0, 0].tolist() == [[True, False, False]] * 3
    assert torch.equal(both[1, 0], causal_mask(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 3}, "heads must divide width.*heads=3, width=8"),
        (
            {"heads": 4, "source_width": 8, "alibi": True},
            "window and alibi need causal",
        ),
        ({"heads": 4, "window": 2, "causal": False}, "window and alibi need causal"),
    ],
)
def test_multi_head_attention_rejects_invalid_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(8, **settings)


def test_multi_head_attention_rejects_invalid_inputs():
    x = random(1, 2, 8)
    with pytest.raises(ValueError, match="Cross-attention needs a source"):
        MultiHeadAttention(8, 2, source_width=4)(x)
    with pytest.raises(ValueError, match="self-attention takes no source"):
        MultiHeadAttention(8, 2)(x, source=x)
    with pytest.raises(
        ValueError, match="3 query heads cannot share 2 key/value heads evenly"
    ):
        attention(random(1, 3, 2, 4), random(1, 2, 2, 4), random(1, 2, 2, 4))
    with pytest.raises(ValueError, match="window at least 1"):
        sliding_window_mask(3, 0)
