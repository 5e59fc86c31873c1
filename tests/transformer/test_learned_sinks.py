"""Learned sinks: three readings of one formula, windows and caches."""

import torch

from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    SinkAttention,
    attention_weights,
    causal_mask,
    sink_weights,
)
from tests.drawn import integers, normal, stirred


def make_model(window=None):
    model = DecoderLM(DecoderConfig.llama(13, 24, 16, 2, 2, 2, 24), seed=0)
    for layer, block in enumerate(model.blocks):
        block.attention = SinkAttention(
            16, 2, rotary=model.rotary, window=window, layer=layer
        )
    return stirred(model, 1, 0.3).eval()


def test_sink_is_a_dropped_column_and_a_gate():
    query, key, sinks = normal(2, 3, 7, 8), normal(2, 3, 7, 8, seed=1), normal(3)
    mask = causal_mask(7)
    found = sink_weights(query, key, sinks, mask)
    scores = (query @ key.transpose(-2, -1) / 8**0.5).masked_fill(~mask, -torch.inf)
    column = sinks[:, None, None].expand(2, 3, 7, 1)
    dropped = torch.cat((scores, column), dim=-1).softmax(dim=-1)[..., :-1]
    torch.testing.assert_close(found, dropped)
    gate = (scores.logsumexp(dim=-1) - sinks[:, None]).sigmoid()
    gated = attention_weights(query, key, mask) * gate[..., None]
    torch.testing.assert_close(found, gated)


def test_low_sink_is_no_sink():
    query, key = normal(1, 2, 5, 4), normal(1, 2, 5, 4, seed=1)
    found = sink_weights(query, key, torch.full((2,), -100.0))
    torch.testing.assert_close(found, attention_weights(query, key))


def test_query_that_sees_nothing_attends_to_the_sink():
    query, key = normal(1, 1, 2, 4), normal(1, 1, 2, 4, seed=1)
    found = sink_weights(query, key, torch.zeros(1), torch.zeros(2, 2).bool())
    assert found.abs().max() == 0


@torch.no_grad()
def test_cache_gives_the_logits_of_the_whole_text():
    model, ids = make_model(), integers(13, 2, 20)
    cache = model.make_cache(2)
    parts = [model(ids[:, :11], cache.context())]
    parts += [model(ids[:, i : i + 1], cache.context()) for i in range(11, 20)]
    torch.testing.assert_close(torch.cat(parts, 1), model(ids), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_window_hides_earlier_tokens():
    model, ids = make_model(window=3), integers(13, 1, 20)
    other = ids.clone()
    other[0, 0] = (ids[0, 0] + 1) % 13
    changed = (model(ids) - model(other)).abs().amax(dim=-1)[0] > 1e-6
    assert changed.nonzero().max() == 4  # two layers of a window of three


@torch.no_grad()
def test_maps_have_the_missing_weight():
    maps = make_model().attention_maps(integers(13, 1, 6))
    assert maps.shape == (2, 1, 2, 6, 6)
    assert (maps.sum(dim=-1) < 1).all()
