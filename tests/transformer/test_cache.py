"""Reading a text in pieces with a KV cache, with rows of any lengths, gives the logits
of a single forward pass.
"""

import dataclasses
from itertools import accumulate

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
    FeedForwardConfig,
    KVCache,
    Llama3Scaling,
    LocalConfig,
    MixtureConfig,
    NormConfig,
    SinkCache,
    YarnScaling,
    attention,
    causal_mask,
    sink_mask,
    sliding_window_mask,
)
from genai_tutorial.transformer.streaming_cache import RollingCache
from tests.decoders import randomized

VOCAB = 11


def tokens(batch, length, seed=0):
    return torch.randint(
        VOCAB, (batch, length), generator=torch.Generator().manual_seed(seed)
    )


def pieces_of(ids, sizes):
    """Split ids into pieces of these sizes, until none are left."""
    starts = accumulate(sizes[:-1], initial=0)
    return [
        ids[:, start:][:, :size]
        for start, size in zip(starts, sizes, strict=True)
        if start < ids.shape[1]
    ]


windows = st.sampled_from([None, 1, 3, 8, 40])
groups = st.sampled_from([None, 1, 2])
attentions = st.one_of(
    st.builds(
        AttentionConfig,
        key_value_heads=groups,
        positions=st.sampled_from(["learned", "sinusoidal", "alibi", "none"]),
        sliding_window=windows,
        query_key_norm=st.booleans(),
    ),
    st.builds(
        AttentionConfig,
        key_value_heads=groups,
        positions=st.just("rotary"),
        rotary_scaling=st.sampled_from(
            [
                None,
                Llama3Scaling(original_context_length=8),
                YarnScaling(original_context_length=8),
            ]
        ),
        sliding_window=windows,
        query_key_norm=st.booleans(),
    ),
)
configs = st.builds(
    DecoderConfig,
    vocab_size=st.just(VOCAB),
    context_length=st.just(24),
    width=st.just(16),
    layers=st.just(2),
    attention=attentions,
    feed_forward=st.builds(
        FeedForwardConfig,
        activation=st.sampled_from(["gelu", "swiglu", "squared_relu"]),
    ),
    mixture=st.sampled_from([None, MixtureConfig(experts=3)]),
    local=st.builds(
        LocalConfig,
        convolution_size=st.integers(0, 3),
        pair_features=st.sampled_from([0, 4]),
    ),
    norm=st.builds(NormConfig, kind=st.sampled_from(["layer", "rms"])),
    bias=st.booleans(),
    tied_embeddings=st.booleans(),
)


def without_local_layers(config):
    """Return the settings with full attention and no other layer that looks back."""
    attention = dataclasses.replace(config.attention, sliding_window=None)
    return dataclasses.replace(config, attention=attention, local=LocalConfig())


def read(model, ids, cache, lengths=None):
    """Return the logits of tokens that continue the text in the cache."""
    return model(ids, AttentionContext.cached(cache, lengths))


@pytest.mark.slow
@given(
    configs,
    st.lists(st.integers(1, 7), min_size=1, max_size=7),
    st.integers(1, 2),
    st.integers(0, 99),
)
@settings(max_examples=20)
@torch.no_grad()
def test_cached_reading_in_pieces_equals_full_forward_pass(config, pieces, batch, seed):
    model, ids = randomized(config, seed), tokens(batch, min(sum(pieces), 24), seed)
    cache, found = model.make_cache(batch), []
    for piece in pieces_of(ids, pieces):
        found.append(read(model, piece, cache))
    torch.testing.assert_close(
        torch.cat(found, dim=1), model(ids), atol=1e-5, rtol=1e-5
    )


@pytest.mark.slow
@given(configs, st.data(), st.integers(0, 99))
@settings(max_examples=20)
@torch.no_grad()
def test_cache_rows_of_different_lengths_are_independent(config, data, seed):
    model, batch = randomized(config, seed), 3
    cache, texts = (
        model.make_cache(batch),
        [tokens(1, 24, seed + row) for row in range(batch)],
    )
    done = [0] * batch
    for _ in range(data.draw(st.integers(1, 4))):
        new = data.draw(st.integers(1, 6))
        if max(done) + new > 24:
            break
        lengths = [data.draw(st.integers(0, new)) for _ in range(batch)]
        filled = torch.full((batch, new), VOCAB - 1)
        for row, length in enumerate(lengths):
            filled[row, :length] = texts[row][0, done[row] : done[row] + length]
        found = read(model, filled, cache, torch.tensor(lengths))
        assert found.isfinite().all()
        for row, length in enumerate(lengths):
            expected = (
                model(texts[row][:, : done[row] + length])[0, done[row] :]
                if done[row] + length
                else None
            )
            if length:
                torch.testing.assert_close(
                    found[row, :length], expected, atol=1e-5, rtol=1e-5
                )
            done[row] += length
    assert cache.lengths == done


CONFIG = DecoderConfig.llama(
    VOCAB,
    context_length=24,
    width=16,
    layers=2,
    heads=4,
    key_value_heads=2,
    feed_forward_width=24,
)
ROLLING = dataclasses.replace(
    CONFIG, attention=dataclasses.replace(CONFIG.attention, sliding_window=4)
)
ALIBI = dataclasses.replace(
    CONFIG, attention=dataclasses.replace(CONFIG.attention, positions="alibi")
)
CONVOLUTION = dataclasses.replace(
    CONFIG, local=LocalConfig(convolution_size=2, pair_features=4)
)
KINDS = pytest.mark.parametrize(
    "config",
    [CONFIG, ROLLING, ALIBI, CONVOLUTION],
    ids=["llama", "rolling", "alibi", "convolution"],
)


@KINDS
@torch.no_grad()
def test_cache_allocates_memory_once(config):
    model = randomized(config)
    cache = model.make_cache(2, length=20)
    places = 4 if config is ROLLING else 20
    assert cache.keys.shape == cache.values.shape == (2, 2, 2, places, 4)
    before = cache.keys.data_ptr(), cache.values.data_ptr()
    for piece in tokens(2, 20).split(3, dim=1):
        read(model, piece, cache)
    assert (cache.keys.data_ptr(), cache.values.data_ptr()) == before
    assert cache.lengths == [20, 20]


@KINDS
@torch.no_grad()
def test_cache_overflow_raises_and_leaves_it_unchanged(config):
    model, ids = randomized(config), tokens(1, 9)
    cache = model.make_cache(length=8)
    read(model, ids[:, :6], cache)
    with pytest.raises(
        ValueError,
        match=r"cache is full: .* room for 8 tokens per row, holds 6, and got 3 more",
    ):
        read(model, ids[:, 6:], cache)
    torch.testing.assert_close(
        read(model, ids[:, 6:8], cache), model(ids[:, :8])[:, 6:], atol=1e-5, rtol=1e-5
    )


@KINDS
@torch.no_grad()
def test_cache_keep_truncates_to_common_prefix(config):
    model, ids = randomized(config), tokens(1, 12)
    other = torch.cat((ids[:, :8], (ids[:, 8:] + 1) % VOCAB), dim=1)
    cache = model.make_cache()
    read(model, ids, cache)
    cache.keep(other)
    assert cache.lengths == ([8] if config in (CONFIG, ALIBI) else [0])
    start = cache.lengths[0]
    scores = read(model, other[:, start:], cache)
    torch.testing.assert_close(scores, model(other)[:, start:], atol=1e-5, rtol=1e-5)


@given(
    configs.map(without_local_layers),
    st.integers(1, 12),
    st.integers(0, 12),
    st.integers(1, 12),
    st.integers(0, 99),
)
@settings(max_examples=30)
@torch.no_grad()
def test_cache_rewind_leaves_no_trace_of_forgotten_tokens(
    config, read_first, kept, new, seed
):
    """Rewinding and reading other tokens equals never having read the first ones."""
    model, kept = randomized(config, seed), min(kept, read_first)
    first, other = tokens(2, read_first, seed), tokens(2, new, seed + 1)
    rewound, fresh = model.make_cache(2), model.make_cache(2)
    read(model, first, rewound)
    rewound.rewind(kept)
    assert rewound.lengths == [kept, kept]
    if kept:
        read(model, first[:, :kept], fresh)
    torch.testing.assert_close(
        read(model, other, rewound), read(model, other, fresh), atol=1e-5, rtol=1e-5
    )
    whole = torch.cat((first[:, :kept], other), dim=1)
    assert torch.equal(rewound.ids[:, : whole.shape[1]], whole)


@torch.no_grad()
def test_cache_rewind_explains_what_it_cannot_do():
    cache = randomized(CONFIG).make_cache()
    read(randomized(CONFIG), tokens(1, 5), cache)
    for wrong in (-1, 6):
        with pytest.raises(ValueError, match=rf"has read 5 tokens.*back to {wrong}"):
            cache.rewind(wrong)
    model = randomized(CONVOLUTION)
    cache = model.make_cache()
    read(model, tokens(1, 5), cache)
    with pytest.raises(ValueError, match="short convolutions and n-gram tables are"):
        cache.rewind(3)
    assert cache.lengths == [5]
    model = randomized(ROLLING)
    for cache in (model.make_cache(), SinkCache(CONFIG, sinks=1, window=4)):
        with pytest.raises(ValueError, match=f"{type(cache).__name__} cannot go back"):
            cache.rewind(0)


def test_cache_keep_on_longer_text_keeps_all_but_last_token():
    model, ids = randomized(CONFIG), tokens(1, 12)
    cache = model.make_cache()
    cache.keep(ids)
    assert cache.lengths == [0]
    read(model, ids[:, :9], cache)
    cache.keep(ids)
    assert cache.lengths == [9]
    cache.keep(ids[:, :9])
    assert cache.lengths == [8]


@KINDS
@pytest.mark.parametrize("start", [2, 6])
@torch.no_grad()
def test_cache_keep_recovers_from_interrupted_pass(config, start):
    model, ids = randomized(config), tokens(1, 12)
    cache = model.make_cache()
    read(model, ids[:, :start], cache)

    def interrupt(*_):
        raise KeyboardInterrupt

    hook = model.blocks[1].register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(model, ids[:, -4:], cache)  # its first layer has already stored keys
    hook.remove()
    cache.keep(ids)
    start = cache.lengths[0]
    torch.testing.assert_close(
        read(model, ids[:, start:], cache), model(ids)[:, start:], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("pieces", [(24,), (1,) * 24, (3, 1, 7, 1, 1, 11)])
@torch.no_grad()
def test_rolling_cache_logits_equal_full_cache(pieces):
    model, ids = randomized(ROLLING), tokens(2, 24)
    scores = []
    for cache in (KVCache(*ROLLING.cache_sizes(2)), model.make_cache(2)):
        parts = [read(model, piece, cache) for piece in ids.split(pieces, dim=1)]
        scores.append(torch.cat(parts, dim=1))
    torch.testing.assert_close(*scores, atol=1e-5, rtol=1e-5)
    assert isinstance(model.make_cache(), RollingCache)
    assert type(randomized(CONFIG).make_cache()) is KVCache


def test_cache_disables_gradients():
    model = randomized(CONFIG)
    cache = model.make_cache()
    read(model, tokens(1, 3), cache)
    assert not cache.keys.requires_grad
    context = AttentionContext.cached(cache)
    assert not model.read(tokens(1, 3), context).requires_grad
    assert model.read(tokens(1, 3)).requires_grad


@torch.no_grad()
def test_cache_in_bfloat16():
    model, ids = randomized(CONFIG).bfloat16(), tokens(2, 10)
    cache = model.make_cache(2)
    assert cache.keys.dtype == torch.bfloat16
    pieces = [read(model, piece, cache) for piece in ids.split(4, dim=1)]
    found = torch.cat(pieces, dim=1)
    # One unit in the last of bfloat16's 8 bits is 2^-8 of a number; the logits reach
    # about 4.
    torch.testing.assert_close(found, model(ids), atol=0.1, rtol=0.02)


def test_cache_rejects_invalid_arguments():
    model = randomized(CONFIG)
    with pytest.raises(
        ValueError, match=r"from 1 to context_length=24 tokens per row; .*length=25"
    ):
        model.make_cache(length=25)
    with pytest.raises(ValueError, match=r"at least one row .*rows=0"):
        model.make_cache(0)
    with pytest.raises(ValueError, match="made for 2 rows, got 1"):
        read(model, tokens(1, 3), model.make_cache(2))
    with pytest.raises(
        ValueError, match=r"lengths must be 2 numbers from 0 to 3, got \[3, 4\]"
    ):
        read(model, tokens(2, 3), model.make_cache(2), torch.tensor([3, 4]))


def test_cache_select_continues_the_chosen_rows():
    rows = [2, 0, 2, 1]
    for config in (
        DecoderConfig.llama(VOCAB, 24, 16, 2, 4, key_value_heads=2),
        DecoderConfig.fast(VOCAB, 24, 16, 2, 4, pair_features=4, triple_features=4),
        dataclasses.replace(
            DecoderConfig(VOCAB, 24, 16, 2),
            attention=AttentionConfig(heads=4, sliding_window=3),
        ),
    ):
        model = randomized(config)
        lengths, ids, new = torch.tensor([5, 2, 7]), tokens(3, 7), tokens(4, 3, seed=1)
        cache = model.make_cache(3)
        with torch.no_grad():
            model.read(ids, AttentionContext.cached(cache, lengths))
            cache.select(rows)
            found = model(new, AttentionContext.cached(cache))
            for place, row in enumerate(rows):
                text = torch.cat((ids[row, : lengths[row]], new[place]))[None]
                torch.testing.assert_close(
                    found[place], model(text)[0, -3:], atol=1e-5, rtol=1e-5
                )


STREAM_CONFIG = DecoderConfig.llama(
    VOCAB, 24, width=32, layers=2, heads=4, key_value_heads=2, feed_forward_width=16,
    rotary_base=100,
)  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return randomized(STREAM_CONFIG).eval()


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
    cache = SinkCache(STREAM_CONFIG, 2, sinks, window)
    got = read_in_pieces(model, cache, ids, sizes)
    torch.testing.assert_close(
        got, by_the_formula(model, ids, sinks, window), atol=1e-4, rtol=1e-4
    )
    assert cache.keys.shape[3] == sinks + window
    assert cache.lengths == [sum(sizes)] * 2


def test_sink_cache_equals_a_plain_cache_as_long_as_the_text_fits(model):
    ids = tokens(1, 12)
    whole = model(ids)
    for cache in (model.make_cache(), SinkCache(STREAM_CONFIG, sinks=4, window=8)):
        got = read_in_pieces(model, cache, ids, [5, 1, 6])
        torch.testing.assert_close(got, whole, atol=1e-4, rtol=1e-4)


def test_sink_cache_differs_from_the_masked_pass_only_in_the_sinks_distance(model):
    """Sinks at their true distance, in the masked pass, are farther away than in the
    cache; so both agree only up to the first gap.
    """
    ids = tokens(1, 20)
    masked = model(ids, AttentionContext(sink_mask(20, 2, 6)[None, None]))
    got = read_in_pieces(
        model, SinkCache(STREAM_CONFIG, sinks=2, window=6), ids, [1] * 20
    )
    torch.testing.assert_close(got[:, :8], masked[:, :8], atol=1e-4, rtol=1e-4)
    assert (got[:, 8:] - masked[:, 8:]).abs().amax() > 1e-3


def test_sink_cache_works_with_yarn_and_with_fused_models(model):
    attention = dataclasses.replace(
        STREAM_CONFIG.attention, rotary_scaling=YarnScaling(4, 8)
    )
    yarn = randomized(dataclasses.replace(STREAM_CONFIG, attention=attention)).eval()
    ids = tokens(1, 30)
    for one in (model, yarn):
        slow = read_in_pieces(
            one, SinkCache(STREAM_CONFIG, sinks=1, window=7), ids, [30 // 2] * 2
        )
        fast = read_in_pieces(
            quantized(one, "float32"),
            SinkCache(STREAM_CONFIG, sinks=1, window=7),
            ids,
            [1] * 30,
        )
        torch.testing.assert_close(slow, fast, atol=1e-4, rtol=1e-4)


def test_sink_cache_lets_stream_write_beyond_the_context(model):
    cache = SinkCache(STREAM_CONFIG, sinks=2, window=6)
    written = list(stream(model, [1, 2, 3], 40, temperature=0, cache=cache))
    assert len(written) == 40
    ids = torch.tensor([[1, 2, 3, *written]])
    logits = by_the_formula(model, ids, 2, 6)
    assert logits[0, 2:-1].argmax(dim=-1).tolist() == written


def test_sink_cache_keeps_a_continued_text_and_forgets_another(model):
    cache = SinkCache(STREAM_CONFIG, sinks=2, window=4)
    ids = tokens(1, 12)
    read_in_pieces(model, cache, ids[:, :9], [9])
    cache.keep(ids)
    assert cache.lengths == [9]
    changed = ids.clone()
    changed[0, 7] = (changed[0, 7] + 1) % VOCAB
    cache.keep(changed)
    assert cache.lengths == [0]
    read_in_pieces(model, cache, ids, [12])
    cache.keep(ids)
    assert cache.lengths == [0], "the last token has to be read again"


@pytest.mark.parametrize(
    ("sinks", "window", "message"),
    [
        (-1, 4, "sinks must be at least 0"),
        (1, 0, "window at least 1"),
        (20, 5, "holds from 1 to context_length=24"),
    ],
)
def test_sink_cache_refuses_impossible_sizes(sinks, window, message):
    with pytest.raises(ValueError, match=message):
        SinkCache(STREAM_CONFIG, sinks=sinks, window=window)


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


def test_sink_cache_refuses_long_pieces_and_padded_rows(model):
    cache = SinkCache(STREAM_CONFIG, 2, sinks=2, window=6)
    with pytest.raises(ValueError, match="at most 18 tokens each"):
        read(model, tokens(2, 19), cache)
    with pytest.raises(ValueError, match="equal lengths"):
        read(model, tokens(2, 3), cache, torch.tensor([1, 3]))


def test_sink_mask_is_the_window_and_the_first_keys():
    mask = sink_mask(9, sinks=2, window=3)
    assert torch.equal(mask | sliding_window_mask(9, 3), mask)
    assert torch.equal(mask[:, :2], causal_mask(9)[:, :2])
    assert mask.sum(dim=1).tolist() == [1, 2, 3, 4, 5, 5, 5, 5, 5]
    assert torch.equal(sink_mask(9, 0, 3), sliding_window_mask(9, 3))
