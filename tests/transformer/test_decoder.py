import dataclasses
import json
import math

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
    InitializationConfig,
    LocalConfig,
    MixtureConfig,
    NormConfig,
    YarnScaling,
    next_token_loss,
)
from tests.decoders import mixtral, randomized

GPT2 = DecoderConfig.gpt2(vocab_size=11, context_length=8, width=8, layers=2, heads=2)
LLAMA = DecoderConfig.llama(
    11, 8, 8, layers=2, heads=4, key_value_heads=2, feed_forward_width=12
)
FAST = DecoderConfig.fast(vocab_size=11, context_length=8, width=8, layers=2, heads=2)
BOTH = pytest.mark.parametrize("config", [GPT2, FAST], ids=["gpt2", "fast"])


def tokens(batch, length, vocab_size=11, seed=0):
    return torch.randint(
        vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed)
    )


configs = st.builds(
    lambda half, attention, **settings: DecoderConfig(
        width=2 * half * attention.heads, attention=attention, **settings
    ),
    st.integers(1, 3),
    st.builds(
        lambda heads, one, **settings: AttentionConfig(
            heads, 1 if one else None, **settings
        ),
        st.integers(1, 3),
        st.booleans(),
        positions=st.sampled_from(["learned", "sinusoidal", "rotary", "alibi", "none"]),
        sliding_window=st.none() | st.integers(1, 5),
        query_key_norm=st.booleans(),
    ),
    vocab_size=st.integers(1, 20),
    context_length=st.integers(1, 12),
    layers=st.integers(1, 3),
    feed_forward=st.builds(
        FeedForwardConfig,
        activation=st.sampled_from(["gelu", "gelu_tanh", "squared_relu", "swiglu"]),
    ),
    local=st.builds(LocalConfig, convolution_size=st.integers(0, 3)),
    norm=st.builds(NormConfig, kind=st.sampled_from(["layer", "rms"])),
    bias=st.booleans(),
    tied_embeddings=st.booleans(),
    initialization=st.builds(
        InitializationConfig,
        std=st.sampled_from([None, 0.02]),
        zero_outputs=st.booleans(),
    ),
)


@pytest.mark.slow
@given(configs, st.integers(1, 3), st.data())
@settings(max_examples=40)
def test_decoder_is_causal_and_differentiable_for_all_settings(config, batch, data):
    length = data.draw(st.integers(1, config.context_length))
    changed = data.draw(st.integers(0, length - 1))
    model = randomized(config)
    ids = tokens(batch, length, config.vocab_size)
    logits = model(ids)
    assert logits.shape == (batch, length, config.vocab_size)
    later = ids.clone()
    later[:, changed:] = tokens(batch, length - changed, config.vocab_size, seed=9)
    torch.testing.assert_close(
        model(later)[:, :changed], logits[:, :changed], atol=1e-5, rtol=1e-5
    )
    next_token_loss(logits, ids).backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all() for p in model.parameters()
    )


@BOTH
def test_decoder_logits_depend_on_earlier_tokens(config):
    model, ids = randomized(config), tokens(1, 8)
    other = ids.clone()
    other[0, 0] = (other[0, 0] + 1) % 11
    assert ((model(other) - model(ids)).abs().amax(-1) > 1e-4).all()


@BOTH
def test_decoder_without_the_causal_mask_reads_later_tokens(config):
    attention = dataclasses.replace(config.attention, causal=False)
    model = randomized(dataclasses.replace(config, attention=attention))
    ids = tokens(1, 8)
    other = ids.clone()
    other[0, 7] = (other[0, 7] + 1) % 11
    assert ((model(other) - model(ids)).abs().amax(-1) > 1e-4).all()
    with pytest.raises(ValueError, match="A cache needs causal=True"):
        model.make_cache()
    with pytest.raises(ValueError, match="true with a window"):
        dataclasses.replace(attention, sliding_window=2)


@BOTH
def test_decoder_without_positions_ignores_order(config):
    ids = torch.tensor([[1, 2, 3, 4]])
    swapped = torch.tensor([[2, 1, 3, 4]])
    model = randomized(config)
    assert not torch.allclose(model(ids)[:, -1], model(swapped)[:, -1], atol=1e-3)
    # One layer without positions treats the text as a set. (Deeper ones can infer order
    # from the causal mask.)
    blind = randomized(
        dataclasses.replace(
            config,
            layers=1,
            attention=AttentionConfig(heads=2, positions="none"),
            local=LocalConfig(),
        )
    )
    torch.testing.assert_close(blind(ids)[:, -1], blind(swapped)[:, -1])


def test_zero_outputs_initialization_predicts_uniformly():
    loss = next_token_loss(DecoderLM(FAST)(tokens(4, 8)), tokens(4, 8, seed=1))
    assert loss.item() == pytest.approx(math.log(11), abs=1e-6)


def test_gpt2_initialization_matches_paper_and_predicts_nearly_uniformly():
    model = DecoderLM(
        DecoderConfig.gpt2(65, context_length=64, width=128, layers=4, heads=4)
    )
    query, output = (
        model.blocks[1].attention.query,
        model.blocks[1].feed_forward.output,
    )
    assert query.weight.std().item() == pytest.approx(0.02, rel=0.03)
    assert output.weight.std().item() == pytest.approx(0.02 / 8**0.5, rel=0.03)
    assert (query.bias == 0).all()
    ids = tokens(8, 65, vocab_size=65)
    loss = next_token_loss(model(ids[:, :-1]), ids[:, 1:]).item()
    assert loss == pytest.approx(math.log(65), abs=0.1)


def test_initialization_is_determined_by_seed():
    first, again, other = (
        DecoderLM(GPT2, seed=3),
        DecoderLM(GPT2, seed=3),
        DecoderLM(GPT2, seed=4),
    )
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
    assert not torch.equal(first.token_embedding.weight, other.token_embedding.weight)


def test_seed_none_leaves_weights_uninitialized():
    with torch.device("meta"):
        empty = DecoderLM(LLAMA, seed=None)
    full = randomized(LLAMA)
    empty.load_state_dict(full.state_dict(), assign=True)
    torch.testing.assert_close(empty(tokens(1, 5)), full(tokens(1, 5)))


@pytest.mark.parametrize(
    "config",
    [DecoderConfig(65), GPT2, FAST, LLAMA, mixtral()],
    ids=["default", "gpt2", "fast", "llama", "mixtral"],
)
def test_config_round_trips_through_json(config):
    saved = json.loads(json.dumps(dataclasses.asdict(config)))
    assert DecoderConfig.from_dict(saved) == config


@torch.no_grad()
def test_padding_does_not_change_logits():
    """Right-padding, masked or not, does not affect a causal model."""
    for config in (GPT2, FAST):
        model, ids = randomized(config), tokens(2, 8)
        lengths = torch.tensor([8, 3])
        scores = model(ids, AttentionContext.padded(lengths, 8))
        torch.testing.assert_close(scores[0], model(ids)[0], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(
            scores[1, :3], model(ids[1:, :3])[0], atol=1e-5, rtol=1e-5
        )


ROTARY = AttentionConfig(heads=2, positions="rotary")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DecoderConfig(0), r"DecoderConfig\.vocab_size must be a whole number"),
        (lambda: DecoderConfig(None), "None"),
        (lambda: DecoderConfig(11, True), "context_length must be a whole"),
        (lambda: DecoderConfig(11, 10**12), "context_length must be at most 1048576"),
        (lambda: DecoderConfig(11, width=10), "must divide width.*heads=4, width=10"),
        (lambda: DecoderConfig(11, width=6, attention=ROTARY), "heads must be even"),
        (lambda: FeedForwardConfig(0), r"FeedForwardConfig\.width must be"),
        (lambda: LocalConfig(-1), "convolution_size must be a whole"),
        (lambda: LocalConfig(ngram_rows=0), "ngram_rows must be a whole"),
        (lambda: InitializationConfig(0.0), "above 0, or None for its default"),
        (lambda: NormConfig(epsilon=0.0), r"NormConfig\.epsilon must be above 0"),
        (lambda: AttentionConfig(4, 3), "key_value_heads=3, heads=4"),
        (lambda: AttentionConfig(4, 0), "key_value_heads must be a whole number of"),
        (lambda: AttentionConfig(sliding_window=0), "sliding_window must be a whole"),
        (lambda: AttentionConfig(rotary_base=1), "rotary_base must be above 1"),
        (
            lambda: AttentionConfig(rotary_scaling=YarnScaling()),
            "needs rotary positions; got YarnScaling.*positions='learned'",
        ),
        (lambda: MixtureConfig(0), "experts must be a whole number of at least 1"),
        (lambda: MixtureConfig(shared_experts=-1), "at least 0, got -1"),
        # The type checker, where it is on, refuses these before the config does.
        (lambda: AttentionConfig(positions="fancy"), "fancy"),
        (lambda: AttentionConfig(rotary_scaling="fancy"), "fancy"),
        (lambda: FeedForwardConfig(activation="fancy"), "fancy"),
        (lambda: NormConfig(kind="fancy"), "fancy"),
        (lambda: DecoderConfig(11, attention="fancy"), "fancy"),
        (lambda: DecoderConfig(11, mixture="fancy"), "fancy"),
    ],
)
def test_config_rejects_invalid_settings(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_key_value_heads_default_to_heads():
    assert AttentionConfig(6).key_value_heads == 6
    assert AttentionConfig(6, 2).key_value_heads == 2


def test_decoder_rejects_invalid_tokens():
    model = DecoderLM(GPT2)
    with pytest.raises(ValueError, match="context window is 8 tokens, got 9"):
        model(tokens(1, 9))
    with pytest.raises(ValueError, match=r"from 0 to 10 .*got values from 3 to 11"):
        model(torch.tensor([[3, 11]]))


IDS = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 5, 8, 9, 7]])


def with_positions(positions, **attention):
    return DecoderConfig(
        vocab_size=11,
        context_length=16,
        width=16,
        layers=2,
        attention=AttentionConfig(2, positions=positions, **attention),
    )


CONFIGS = {
    "learned": with_positions("learned"),
    "sinusoidal": with_positions("sinusoidal"),
    "rotary": with_positions("rotary"),
    "alibi": with_positions("alibi"),
    "window": with_positions("rotary", sliding_window=3),
    "fast": DecoderConfig.fast(11, 16, width=16, layers=2, heads=2),
}
ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
# A short convolution, which looks back one place in the row, knows of no prefix.
WITHOUT_CONVOLUTION = pytest.mark.parametrize(
    "name", [name for name in CONFIGS if name != "fast"]
)


@ALL
def test_vectors_of_tokens_are_read_like_the_tokens(config):
    model = randomized(config)
    vectors = model.embed(IDS, AttentionContext())
    assert torch.equal(model.read_vectors(vectors), model.read(IDS))


@pytest.mark.parametrize("name", ["rotary", "alibi", "window", "fast"])
def test_vectors_and_tokens_continue_each_other_in_a_cache(name):
    model = randomized(CONFIGS[name])
    vectors = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(1))
    whole = torch.cat([vectors, model.embed(IDS, AttentionContext())], dim=1)
    expected = model.read_vectors(whole)
    cache = model.make_cache(2)
    model.read_vectors(vectors, AttentionContext.cached(cache))
    read = model.read(IDS, AttentionContext.cached(cache))
    torch.testing.assert_close(read, expected[:, 3:], atol=1e-5, rtol=1e-5)
    assert cache.lengths == [10, 10]


def test_a_cache_never_takes_vectors_for_a_text():
    model = randomized(CONFIGS["rotary"])
    cache = model.make_cache(1)
    vectors = model.embed(IDS[:1, :3], AttentionContext())
    model.read_vectors(vectors, AttentionContext.cached(cache))
    cache.keep(IDS[:1])
    assert cache.lengths == [0]


@WITHOUT_CONVOLUTION
def test_texts_behind_a_prefix_are_read_as_if_each_were_alone(name):
    model = randomized(CONFIGS[name])
    documents = torch.tensor([[0, 0, 0, 1, 1, 2, 2]]).expand(2, -1)
    packed = model(IDS, AttentionContext.prefixed(documents))
    first, second = model(IDS[:, :5]), model(IDS[:, [0, 1, 2, 5, 6]])
    torch.testing.assert_close(packed[:, :5], first, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(packed[:, 5:], second[:, 3:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((1, 17, 16), "context window is 16 tokens, got 17"), ((1, 2, 8), "width 16")],
)
def test_vectors_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        randomized(CONFIGS["rotary"]).read_vectors(torch.zeros(shape))
