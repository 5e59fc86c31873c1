"""A step with its state equals the whole pass, and changes nothing in place."""

import pytest
import torch

from genai_tutorial.edge import DecoderStep
from genai_tutorial.edge.onnx_step import FunctionalCache, TracedCacheContext, WholePass
from genai_tutorial.transformer import DecoderConfig, DecoderLM
from tests.edge.models import CONFIGS, disturbed, tokens

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


@torch.no_grad()
@ALL
def test_decoder_step_equals_the_whole_pass_at_every_position(config):
    model, ids = disturbed(config), tokens(1, 1, 11)
    step, expected = DecoderStep(model), model(ids)
    state = step.first_state()
    for place in range(ids.shape[1]):
        logits, *state = step(ids[:, place : place + 1], *state)
        torch.testing.assert_close(logits, expected[:, place], atol=1e-5, rtol=1e-5)
        assert state[0].shape[3] == place + 1


@torch.no_grad()
def test_decoder_step_leaves_its_state_unchanged():
    step = DecoderStep(disturbed(CONFIGS["fast"]))
    _, *state = step(torch.tensor([[3]]), *step.first_state())
    kept = [tensor.clone() for tensor in state]
    first, second = (step(torch.tensor([[5]]), *state)[0] for _ in range(2))
    assert torch.equal(first, second)
    assert all(map(torch.equal, state, kept))


@torch.no_grad()
@ALL
def test_functional_cache_reads_several_tokens_at_once(config):
    """The text is split at a place: a step of several tokens, then single ones."""
    model, ids = disturbed(config), tokens(2, 1, 9)
    step, expected = DecoderStep(model), model(ids)
    keys, values, *earlier = step.first_state()
    cache = FunctionalCache(keys, values, earlier)
    torch.testing.assert_close(
        model(ids[:, :6], TracedCacheContext(cache)),
        expected[:, :6],
        atol=1e-5,
        rtol=1e-5,
    )
    logits, *_ = step(ids[:, 6:7], *cache.state())
    torch.testing.assert_close(logits, expected[:, 6], atol=1e-5, rtol=1e-5)


@torch.no_grad()
@ALL
def test_whole_pass_equals_the_model(config):
    model, ids = disturbed(config), tokens(3, 2, 9)
    assert torch.equal(WholePass(model)(ids), model(ids))


def test_decoder_step_names_a_state_tensor_for_each_layer_that_looks_back():
    config = CONFIGS["fast"]
    step = DecoderStep(disturbed(config))
    names = step.state_names()
    assert names[:3] == ["keys", "values", "ngram_embedding"]
    assert len(names) == len(step.first_state()) == 3 + 2 * config.layers


def test_decoder_step_refuses_a_sliding_window():
    config = DecoderConfig.llama(13, 24, 16, 2, 4, 2, 24, sliding_window=8)
    with pytest.raises(ValueError, match="sliding window of 8"):
        DecoderStep(DecoderLM(config))
