import pytest
import torch

from genai_tutorial.transformer import (
    AttentionContext,
    MultiHeadAttention,
    attention,
    causal_mask,
    padding_mask,
    sliding_window_mask,
)
from tests.drawn import normal


def test_attention_weights_are_causal():
    torch.manual_seed(0)
    maps = MultiHeadAttention(8, 2).weights(normal(1, 6, 8))
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
    layer, x = MultiHeadAttention(16, 4, **settings), normal(2, 7, 16)
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
    x = normal(1, 2, 8)
    with pytest.raises(ValueError, match="Cross-attention needs a source"):
        MultiHeadAttention(8, 2, source_width=4)(x)
    with pytest.raises(ValueError, match="self-attention takes no source"):
        MultiHeadAttention(8, 2)(x, source=x)
    with pytest.raises(
        ValueError, match="3 query heads cannot share 2 key/value heads evenly"
    ):
        attention(normal(1, 3, 2, 4), normal(1, 2, 2, 4), normal(1, 2, 2, 4))
    with pytest.raises(ValueError, match="window at least 1"):
        sliding_window_mask(3, 0)
