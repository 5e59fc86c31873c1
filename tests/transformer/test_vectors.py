"""The decoder reads vectors in place of tokens, and several texts behind one prefix."""

import pytest
import torch

from genai_tutorial.transformer import (
    AttentionConfig,
    AttentionContext,
    DecoderConfig,
    DecoderLM,
)

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


def random_model(config):
    model = DecoderLM(config)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model


@ALL
def test_vectors_of_tokens_are_read_like_the_tokens(config):
    model = random_model(config)
    vectors = model.embed(IDS, AttentionContext())
    assert torch.equal(model.read_vectors(vectors), model.read(IDS))


@pytest.mark.parametrize("name", ["rotary", "alibi", "window", "fast"])
def test_vectors_and_tokens_continue_each_other_in_a_cache(name):
    model = random_model(CONFIGS[name])
    vectors = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(1))
    whole = torch.cat([vectors, model.embed(IDS, AttentionContext())], dim=1)
    expected = model.read_vectors(whole)
    cache = model.make_cache(2)
    model.read_vectors(vectors, AttentionContext.cached(cache))
    read = model.read(IDS, AttentionContext.cached(cache))
    torch.testing.assert_close(read, expected[:, 3:], atol=1e-5, rtol=1e-5)
    assert cache.lengths == [10, 10]


def test_a_cache_never_takes_vectors_for_a_text():
    model = random_model(CONFIGS["rotary"])
    cache = model.make_cache(1)
    vectors = model.embed(IDS[:1, :3], AttentionContext())
    model.read_vectors(vectors, AttentionContext.cached(cache))
    cache.keep(IDS[:1])
    assert cache.lengths == [0]


@WITHOUT_CONVOLUTION
def test_texts_behind_a_prefix_are_read_as_if_each_were_alone(name):
    model = random_model(CONFIGS[name])
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
        random_model(CONFIGS["rotary"]).read_vectors(torch.zeros(shape))
