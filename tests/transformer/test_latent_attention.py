"""Latent attention: a cache of latent vectors gives what the whole text gives."""

import pytest
import torch

from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    MultiHeadAttention,
    MultiHeadLatentAttention,
    RotaryEmbedding,
    attention,
    causal_mask,
    latent_cache,
    rotary_frequencies,
)
from tests.drawn import integers, normal, stirred

ROTARY = RotaryEmbedding(rotary_frequencies(4, 10_000), 24)


def make_model():
    model = DecoderLM(DecoderConfig.fast(13, 24, 16, 2, 2), seed=0)
    for layer, block in enumerate(model.blocks):
        block.attention = MultiHeadLatentAttention(16, 2, 6, ROTARY, layer=layer)
    return stirred(model, 1, 0.3).eval()


def test_output_follows_the_paper():
    layer = stirred(MultiHeadLatentAttention(16, 2, 6, ROTARY), 0, 0.4)
    x = normal(2, 9, 16)
    latent, shared = layer.norm(layer.down(x)), ROTARY(layer.shared_key(x))
    heads = []
    for head in range(2):
        query = layer.query(x)[..., 12 * head : 12 * head + 12]
        query = torch.cat((query[..., :8], ROTARY(query[..., 8:])), dim=-1)
        own = slice(8 * head, 8 * head + 8)
        key = torch.cat((layer.up_key(latent)[..., own], shared), dim=-1)
        value = layer.up_value(latent)[..., own]
        heads.append(attention(query, key, value, causal_mask(9)))
    expected = layer.output(torch.cat(heads, dim=-1))
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_absorbed_matrices_give_the_logits_of_the_whole_text():
    model, ids = make_model(), integers(13, 2, 20)
    cache = latent_cache(model, rows=2)
    assert cache.keys.shape == (2, 2, 1, 24, 10)
    assert cache.values.numel() == 0
    parts = [model(ids[:, :11], cache.context())]
    parts += [model(ids[:, i : i + 1], cache.context()) for i in range(11, 20)]
    torch.testing.assert_close(torch.cat(parts, 1), model(ids), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_rows_of_different_lengths_in_a_cache():
    model, ids = make_model(), integers(13, 2, 8)
    cache = latent_cache(model, 2)
    model(ids, cache.context([5, 8]))
    both = model(ids[:, :1], cache.context())
    for row, length in enumerate((5, 8)):
        text = torch.cat((ids[row, :length], ids[row, :1]))[None]
        torch.testing.assert_close(
            both[row, 0], model(text)[0, -1], rtol=1e-4, atol=1e-5
        )


@torch.no_grad()
def test_another_cache_is_refused():
    model = make_model()
    with pytest.raises(ValueError, match=r"stores 10 features.*room for 8"):
        model(torch.zeros(1, 2, dtype=torch.long), model.make_cache().context())


def test_cache_needs_latent_attention_in_all_blocks():
    model = make_model()
    model.blocks[1].attention = MultiHeadAttention(16, 2)
    with pytest.raises(
        ValueError, match="MultiHeadAttention, MultiHeadLatentAttention"
    ):
        latent_cache(model)


@pytest.mark.parametrize(("heads", "latent"), [(3, 6), (2, 0)])
def test_impossible_sizes_are_refused(heads, latent):
    with pytest.raises(ValueError, match="heads must divide width"):
        MultiHeadLatentAttention(16, heads, latent, ROTARY)


def test_initialized_layer_outputs_zero():
    layer = MultiHeadLatentAttention(16, 2, 6, ROTARY)
    layer.initialize(torch.Generator().manual_seed(0))
    assert layer(normal(1, 5, 16)).abs().max() == 0
    assert layer.down.weight.std().item() == pytest.approx(0.25, rel=0.3)
