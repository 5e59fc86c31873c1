"""A SinkCache gives what a full pass gives in which each query attends, by the textbook
formula, to the first keys and the last ones, rotated by their places among them.
"""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import quantized
from genai_tutorial.generation import stream
from genai_tutorial.transformer import (
    AttentionConfig,
    AttentionContext,
    DecoderConfig,
    KVCache,
    SinkCache,
    YarnScaling,
    attention,
    causal_mask,
    sink_mask,
    sliding_window_mask,
)
from tests.transformer.test_cache import VOCAB, pieces_of, randomized, tokens

CONFIG = DecoderConfig.llama(
    VOCAB, 24, width=32, layers=2, heads=4, key_value_heads=2, feed_forward_width=16,
    rotary_base=100,
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return randomized(CONFIG).eval()


def read_in_pieces(model, cache, ids, sizes):
    context = AttentionContext.cached(cache)
    return torch.cat([model(piece, context) for piece in pieces_of(ids, sizes)], dim=1)


@torch.no_grad()
def by_the_formula(model, ids, sinks, window):
    """One query at a time: its keys are gathered and rotated by their places."""
    x = model.token_embedding(ids)
    for block in model.blocks:
        layer = block.attention
        normed = block.attention_norm(x)
        query, key, value = (
            linear(normed).unflatten(-1, (-1, layer.head_width)).transpose(1, 2)
            for linear in (layer.query, layer.key, layer.value)
        )
        outputs = []
        for position in range(ids.shape[1]):
            seen = [
                place
                for place in range(position + 1)
                if place < sinks or position - place < window
            ]
            rotated = layer.rotary(key[:, :, seen])
            # rotate the query as the last of as many vectors
            turned = layer.rotary(
                query[:, :, position, None].expand(-1, -1, len(seen), -1)
            )
            outputs.append(attention(turned[:, :, -1:], rotated, value[:, :, seen]))
        mixed = torch.cat(outputs, dim=2).transpose(1, 2).flatten(2)
        x = x + layer.output(mixed)
        x = x + block.feed_forward(block.feed_forward_norm(x))
    return model.logits(x)


@pytest.mark.parametrize(("sinks", "window"), [(0, 5), (1, 4), (4, 8), (3, 1)])
@settings(max_examples=15)
@given(sizes=st.lists(st.integers(1, 16), min_size=1, max_size=12))
def test_sink_cache_equals_a_pass_by_the_formula(model, sinks, window, sizes):
    """In pieces of any sizes, far beyond the context of 24 tokens."""
    ids = tokens(2, sum(sizes))
    cache = SinkCache(CONFIG, 2, sinks, window)
    got = read_in_pieces(model, cache, ids, sizes)
    torch.testing.assert_close(
        got, by_the_formula(model, ids, sinks, window), atol=1e-4, rtol=1e-4
    )
    assert cache.keys.shape[3] == sinks + window
    assert cache.lengths == [sum(sizes)] * 2


def test_sink_cache_equals_a_plain_cache_as_long_as_the_text_fits(model):
    ids = tokens(1, 12)
    whole = model(ids)
    for cache in (KVCache(CONFIG), SinkCache(CONFIG, sinks=4, window=8)):
        got = read_in_pieces(model, cache, ids, [5, 1, 6])
        torch.testing.assert_close(got, whole, atol=1e-4, rtol=1e-4)


def test_sink_cache_without_sinks_equals_a_sliding_window(model):
    ids = tokens(1, 24)
    mask = sliding_window_mask(24, 6)[None, None]
    torch.testing.assert_close(
        read_in_pieces(model, SinkCache(CONFIG, sinks=0, window=6), ids, [1] * 24),
        model(ids, AttentionContext(mask)),
        atol=1e-4,
        rtol=1e-4,
    )


def test_sink_cache_differs_from_the_masked_pass_only_in_the_sinks_distance(model):
    """Sinks at their true distance, in the masked pass, are farther away than in the
    cache; so both agree only up to the first gap.
    """
    ids = tokens(1, 20)
    masked = model(ids, AttentionContext(sink_mask(20, 2, 6)[None, None]))
    got = read_in_pieces(model, SinkCache(CONFIG, sinks=2, window=6), ids, [1] * 20)
    torch.testing.assert_close(got[:, :8], masked[:, :8], atol=1e-4, rtol=1e-4)
    assert (got[:, 8:] - masked[:, 8:]).abs().amax() > 1e-3


def test_sink_cache_works_with_yarn_and_with_fused_models(model):
    attention = dataclasses.replace(CONFIG.attention, rotary_scaling=YarnScaling(4, 8))
    yarn = randomized(dataclasses.replace(CONFIG, attention=attention)).eval()
    ids = tokens(1, 30)
    for one in (model, yarn):
        slow = read_in_pieces(
            one, SinkCache(CONFIG, sinks=1, window=7), ids, [30 // 2] * 2
        )
        fast = read_in_pieces(
            quantized(one, "float32"),
            SinkCache(CONFIG, sinks=1, window=7),
            ids,
            [1] * 30,
        )
        torch.testing.assert_close(slow, fast, atol=1e-4, rtol=1e-4)


def test_sink_cache_lets_stream_write_beyond_the_context(model):
    cache = SinkCache(CONFIG, sinks=2, window=6)
    written = list(stream(model, [1, 2, 3], 40, temperature=0, cache=cache))
    assert len(written) == 40
    ids = torch.tensor([[1, 2, 3, *written]])
    logits = by_the_formula(model, ids, 2, 6)
    assert logits[0, 2:-1].argmax(dim=-1).tolist() == written


def test_sink_cache_keeps_a_continued_text_and_forgets_another(model):
    cache = SinkCache(CONFIG, sinks=2, window=4)
    ids = tokens(1, 12)
    read_in_pieces(model, cache, ids[:, :9], [9])
    cache.keep(ids)
    assert cache.lengths == [9]
    changed = ids.clone()
    changed[0, 7] = (changed[0, 7] + 1) % VOCAB
    cache.keep(changed)
    assert cache.lengths == [0]


def test_sink_cache_forgets_a_text_that_is_not_longer(model):
    cache = SinkCache(CONFIG, sinks=2, window=4)
    ids = tokens(1, 9)
    read_in_pieces(model, cache, ids, [9])
    cache.keep(ids)
    assert cache.lengths == [0], "the last token has to be read again"


@pytest.mark.parametrize(
    ("sinks", "window", "message"),
    [
        (-1, 4, "sinks must be at least 0"),
        (1, 0, "window at least 1"),
        (20, 5, "A cache holds from 1 to context_length=24"),
    ],
)
def test_sink_cache_refuses_impossible_sizes(sinks, window, message):
    with pytest.raises(ValueError, match=message):
        SinkCache(CONFIG, sinks=sinks, window=window)


@pytest.mark.parametrize(
    "attention",
    [
        AttentionConfig(positions="learned"),
        AttentionConfig(positions="rotary", sliding_window=4),
    ],
)
def test_sink_cache_refuses_other_models(attention):
    with pytest.raises(ValueError, match="rotary positions and no sliding window"):
        SinkCache(DecoderConfig(VOCAB, attention=attention))


def test_sink_cache_refuses_pieces_beyond_the_context(model):
    context = AttentionContext.cached(SinkCache(CONFIG, sinks=2, window=6))
    with pytest.raises(ValueError, match="at most 18 tokens each"):
        model.read(tokens(1, 19), context)


def test_sink_cache_refuses_padded_rows(model):
    cache = SinkCache(CONFIG, 2, sinks=2, window=6)
    context = AttentionContext.cached(cache, torch.tensor([1, 3]))
    with pytest.raises(ValueError, match="equal lengths"):
        model.read(tokens(2, 3), context)


def test_sink_mask_is_the_window_and_the_first_keys():
    mask = sink_mask(9, sinks=2, window=3)
    assert torch.equal(mask | sliding_window_mask(9, 3), mask)
    assert torch.equal(mask[:, :2], causal_mask(9)[:, :2])
    assert mask.sum(dim=1).tolist() == [1, 2, 3, 4, 5, 5, 5, 5, 5]
    assert torch.equal(sink_mask(9, 0, 3), sliding_window_mask(9, 3))


@pytest.mark.parametrize(("sinks", "window"), [(-1, 3), (2, 0)])
def test_sink_mask_refuses_impossible_sizes(sinks, window):
    with pytest.raises(ValueError, match="sinks must be at least 0, and window"):
        sink_mask(4, sinks, window)
