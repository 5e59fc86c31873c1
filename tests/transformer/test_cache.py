"""Reading a text in pieces with a KV cache, with rows of any lengths, gives the logits
of a single forward pass.
"""

import dataclasses
from itertools import accumulate

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.transformer import (
    AttentionConfig,
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    FeedForwardConfig,
    KVCache,
    Llama3Scaling,
    LocalConfig,
    MixtureConfig,
    NormConfig,
    SinkCache,
    YarnScaling,
)
from genai_tutorial.transformer.rolling_cache import RollingCache

VOCAB = 11


def randomized(config, seed=0):
    """Return a model with random weights in all layers, including those initialized to
    zero.
    """
    model = DecoderLM(config, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model


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
        with pytest.raises(ValueError, match=rf"each row has read, 5; got {wrong}"):
            cache.rewind(wrong)
    model = randomized(CONVOLUTION)
    cache = model.make_cache()
    read(model, tokens(1, 5), cache)
    with pytest.raises(ValueError, match="short convolutions and n-gram tables are"):
        cache.rewind(3)
    assert cache.lengths == [5]
    model = randomized(ROLLING)
    for cache in (model.make_cache(), SinkCache(CONFIG, sinks=1, window=4)):
        with pytest.raises(ValueError, match=f"{type(cache).__name__} has overwritten"):
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
    for kind in (KVCache, RollingCache):
        cache = kind(ROLLING, batch_size=2)
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
        ValueError, match="from 1 to context_length=24 tokens per row; got length=25"
    ):
        model.make_cache(length=25)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
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


def test_cache_select_refuses_rows_that_do_not_exist():
    cache = KVCache(DecoderConfig(VOCAB), batch_size=2)
    for rows in ([], [2], [0, -1]):
        with pytest.raises(ValueError, match="from 0 to 1"):
            cache.select(rows)
