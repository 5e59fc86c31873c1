"""Reading with a cache, in any pieces and with rows of any lengths, gives the scores of
reading all at once.
"""

import dataclasses
from itertools import accumulate

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.transformer import (
    DecoderConfig,
    DecoderLM,
    Llama3Scaling,
    YarnScaling,
)

VOCAB = 11


def awake(config, seed=0):
    """A model whose layers all do something, whatever they start with."""
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
    """Cuts ids into pieces of these sizes, as far as they go."""
    starts = accumulate(sizes[:-1], initial=0)
    return [
        ids[:, start:][:, :size]
        for start, size in zip(starts, sizes, strict=True)
        if start < ids.shape[1]
    ]


SCALINGS = [
    None,
    Llama3Scaling(original_context_length=8),
    YarnScaling(original_context_length=8),
]
configs = st.builds(
    lambda settings, scaling: (
        DecoderConfig(
            VOCAB,
            context_length=24,
            width=16,
            layers=2,
            rotary_scaling=scaling,
            **settings,
        )
        if settings["positions"] == "rotary"
        else DecoderConfig(VOCAB, context_length=24, width=16, layers=2, **settings)
    ),
    st.fixed_dictionaries(
        {
            "positions": st.sampled_from(
                ["learned", "sinusoidal", "rotary", "alibi", "none"]
            ),
            "norm": st.sampled_from(["layer", "rms"]),
            "activation": st.sampled_from(["gelu", "swiglu", "squared_relu"]),
            "key_value_heads": st.sampled_from([None, 1, 2]),
            "sliding_window": st.sampled_from([None, 1, 3, 8, 40]),
            "neighbours": st.integers(0, 3),
            "pair_features": st.sampled_from([0, 4]),
            "query_key_norm": st.booleans(),
            "bias": st.booleans(),
            "tied_embeddings": st.booleans(),
            "experts": st.sampled_from([0, 3]),
        }
    ),
    st.sampled_from(SCALINGS),
)


@given(
    configs,
    st.lists(st.integers(1, 7), min_size=1, max_size=7),
    st.integers(1, 2),
    st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
@torch.no_grad()
def test_any_model_read_in_any_pieces(config, pieces, batch, seed):
    model, ids = awake(config, seed), tokens(batch, min(sum(pieces), 24), seed)
    cache, found = model.make_cache(batch), []
    for piece in pieces_of(ids, pieces):
        found.append(model(piece, cache))
    torch.testing.assert_close(
        torch.cat(found, dim=1), model(ids), atol=1e-5, rtol=1e-5
    )


@given(configs, st.data(), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
@torch.no_grad()
def test_rows_of_different_lengths_are_each_as_if_alone(config, data, seed):
    model, batch = awake(config, seed), 3
    cache, texts = (
        model.make_cache(batch),
        [tokens(1, 24, seed + row) for row in range(batch)],
    )
    read = [0] * batch
    for _ in range(data.draw(st.integers(1, 4))):
        new = data.draw(st.integers(1, 6))
        if max(read) + new > 24:
            break
        lengths = [data.draw(st.integers(0, new)) for _ in range(batch)]
        filled = torch.full((batch, new), VOCAB - 1)
        for row, length in enumerate(lengths):
            filled[row, :length] = texts[row][0, read[row] : read[row] + length]
        found = model(filled, cache, torch.tensor(lengths))
        assert found.isfinite().all()
        for row, length in enumerate(lengths):
            expected = (
                model(texts[row][:, : read[row] + length])[0, read[row] :]
                if read[row] + length
                else None
            )
            if length:
                torch.testing.assert_close(
                    found[row, :length], expected, atol=1e-5, rtol=1e-5
                )
            read[row] += length
    assert cache.lengths == read


CONFIG = DecoderConfig.llama(
    VOCAB,
    context_length=24,
    width=16,
    layers=2,
    heads=4,
    key_value_heads=2,
    feed_forward_width=24,
)
RING = dataclasses.replace(CONFIG, sliding_window=4)
ALIBI = dataclasses.replace(CONFIG, positions="alibi")
CONVOLVED = dataclasses.replace(CONFIG, neighbours=2, pair_features=4)
KINDS = pytest.mark.parametrize(
    "config",
    [CONFIG, RING, ALIBI, CONVOLVED],
    ids=["llama", "ring", "alibi", "convolved"],
)


@KINDS
@torch.no_grad()
def test_the_memory_is_taken_once(config):
    model = awake(config)
    cache = model.make_cache(2, length=20)
    places = 4 if config is RING else 20
    assert cache.keys.shape == cache.values.shape == (2, 2, 2, places, 4)
    before = cache.keys.data_ptr(), cache.values.data_ptr()
    for piece in tokens(2, 20).split(3, dim=1):
        model(piece, cache)
    assert (cache.keys.data_ptr(), cache.values.data_ptr()) == before
    assert cache.lengths == [20, 20]


@KINDS
@torch.no_grad()
def test_a_full_cache_says_so_and_stays_as_it_is(config):
    model, ids = awake(config), tokens(1, 9)
    cache = model.make_cache(length=8)
    model(ids[:, :6], cache)
    with pytest.raises(
        ValueError,
        match=r"cache is full: it holds 8 tokens a row, 6 are there and 3 more came",
    ):
        model(ids[:, 6:], cache)
    torch.testing.assert_close(
        model(ids[:, 6:8], cache), model(ids[:, :8])[:, 6:], atol=1e-5, rtol=1e-5
    )


@KINDS
@torch.no_grad()
def test_a_text_that_changed_is_read_again_from_there(config):
    model, ids = awake(config), tokens(1, 12)
    other = torch.cat((ids[:, :8], (ids[:, 8:] + 1) % VOCAB), dim=1)
    cache = model.make_cache()
    model(ids, cache)
    cache.keep(other)
    assert cache.lengths == ([8] if config in (CONFIG, ALIBI) else [0])
    read = cache.lengths[0]
    torch.testing.assert_close(
        model(other[:, read:], cache), model(other)[:, read:], atol=1e-5, rtol=1e-5
    )


def test_a_text_that_goes_on_loses_nothing_and_leaves_its_last_token():
    model, ids = awake(CONFIG), tokens(1, 12)
    cache = model.make_cache()
    cache.keep(ids)
    assert cache.lengths == [0]
    model(ids[:, :9], cache)
    cache.keep(ids)
    assert cache.lengths == [9]
    cache.keep(ids[:, :9])
    assert cache.lengths == [8]


@KINDS
@pytest.mark.parametrize("start", [2, 6])
@torch.no_grad()
def test_after_an_interrupted_pass_the_text_can_go_on(config, start):
    model, ids = awake(config), tokens(1, 12)
    cache = model.make_cache()
    model(ids[:, :start], cache)

    def interrupt(*_):
        raise KeyboardInterrupt

    hook = model.blocks[1].register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        model(ids[:, -4:], cache)  # its first layer has written already
    hook.remove()
    cache.keep(ids)
    read = cache.lengths[0]
    torch.testing.assert_close(
        model(ids[:, read:], cache), model(ids)[:, read:], atol=1e-5, rtol=1e-5
    )


def test_with_a_cache_nothing_is_recorded_for_gradients():
    model = awake(CONFIG)
    cache = model.make_cache()
    model(tokens(1, 3), cache)
    assert not cache.keys.requires_grad
    assert not model.read(tokens(1, 3), cache).requires_grad
    assert model.read(tokens(1, 3)).requires_grad


@torch.no_grad()
def test_sixteen_bits():
    model, ids = awake(CONFIG).bfloat16(), tokens(2, 10)
    cache = model.make_cache(2)
    assert cache.keys.dtype == torch.bfloat16
    found = torch.cat([model(piece, cache) for piece in ids.split(4, dim=1)], dim=1)
    # One unit in the last of bfloat16's 8 bits is 2^-8 of a number; the logits reach
    # about 4.
    torch.testing.assert_close(found, model(ids), atol=0.1, rtol=0.02)


def test_wrong_uses_are_refused():
    model = awake(CONFIG)
    with pytest.raises(
        ValueError, match="from 1 to context_length=24 tokens a row; got length=25"
    ):
        model.make_cache(length=25)
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        model.make_cache(0)
    with pytest.raises(ValueError, match="made for 2 rows, got 1"):
        model(tokens(1, 3), model.make_cache(2))
    with pytest.raises(
        ValueError, match=r"lengths must be 2 numbers from 0 to 3, got \[3, 4\]"
    ):
        model(tokens(2, 3), model.make_cache(2), torch.tensor([3, 4]))
