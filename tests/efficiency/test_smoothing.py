"""Scales moved from inputs into weights leave the output unchanged, and share the range
between both.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genai_tutorial.efficiency import activation_maxima, smoothed
from genai_tutorial.efficiency.calibration import (
    fold_scales,
    input_groups,
    smooth_scales,
)
from genai_tutorial.transformer import (
    AttentionConfig,
    DecoderConfig,
    DecoderLM,
    FeedForwardConfig,
    LocalConfig,
    MixtureConfig,
    NormConfig,
)

SMALL = {"vocab_size": 31, "width": 32, "layers": 2, "context_length": 16}
CONFIGS = {
    "llama": DecoderConfig.llama(
        31, width=32, layers=2, heads=4, key_value_heads=None, context_length=16
    ),
    "grouped": DecoderConfig.llama(
        31, width=32, layers=2, heads=4, key_value_heads=2, context_length=16
    ),
    "textbook with biases": DecoderConfig(
        **SMALL, attention=AttentionConfig(heads=2), bias=True
    ),
    "convolutions": DecoderConfig(
        **SMALL,
        attention=AttentionConfig(heads=2),
        feed_forward=FeedForwardConfig(activation="swiglu"),
        norm=NormConfig(kind="rms"),
        local=LocalConfig(convolution_size=2),
    ),
}


def disturbed(config, seed=0):
    """Return a model whose gains, biases and convolutions are not at their initial
    values.
    """
    model = DecoderLM(config, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


def texts(seed=0):
    return torch.randint(31, (3, 16), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@torch.no_grad()
def test_smoothed_model_has_the_same_output(name, alpha):
    model, ids = disturbed(CONFIGS[name]), texts()
    before = model(ids)
    found = smoothed(model, texts(1), alpha)
    torch.testing.assert_close(found(ids), before, rtol=1e-3, atol=1e-4)
    assert torch.equal(model(ids), before)  # the model itself is unchanged
    changed = [
        not torch.equal(one, two)
        for one, two in zip(model.parameters(), found.parameters(), strict=True)
    ]
    assert sum(changed) >= 8


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_fold_scales_keeps_each_groups_output(name):
    model, ids = disturbed(CONFIGS[name]), texts()
    before = model(ids)
    count = len(input_groups(model.blocks[0]))
    for number in range(count):
        group = input_groups(model.blocks[0])[number]
        features = next(iter(group.layers.values())).in_features
        generator = torch.Generator().manual_seed(number)
        scales = torch.randn(features, generator=generator).exp()
        if group.source is None:
            with pytest.raises(ValueError, match="no layer before it can take"):
                fold_scales(group, scales)
            continue
        fold_scales(group, scales)
        torch.testing.assert_close(model(ids), before, rtol=1e-3, atol=1e-4)


def test_input_groups_cover_all_layers_once():
    for config in CONFIGS.values():
        block = DecoderLM(config).blocks[0]
        layers = {n for n, m in block.named_modules() if isinstance(m, nn.Linear)}
        grouped = [name for group in input_groups(block) for name in group.layers]
        assert sorted(grouped) == sorted(layers)


def test_input_groups_without_a_source():
    def sources(name):
        groups = input_groups(DecoderLM(CONFIGS[name]).blocks[0])
        return [group.source is not None for group in groups]

    assert sources("llama") == [True, True, True, True]
    assert sources("grouped") == [True, False, True, True]  # shared value heads
    assert sources("textbook with biases") == [True, True, True, False]  # no gate


def test_input_groups_rejects_mixture_of_experts():
    config = DecoderConfig(vocab_size=5, mixture=MixtureConfig(4, 2))
    with pytest.raises(ValueError, match="got MixtureOfExperts"):
        input_groups(DecoderLM(config).blocks[0])


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), float("nan")])
def test_fold_scales_rejects_scales_that_are_not_positive(value):
    group = input_groups(DecoderLM(CONFIGS["llama"]).blocks[0])[0]
    with pytest.raises(ValueError, match="positive and finite"):
        fold_scales(group, torch.full((32,), value))


@settings(max_examples=30)
@given(alpha=st.floats(0, 1), seed=st.integers(0, 2**31))
def test_smooth_scales_share_the_range(alpha, seed):
    generator = torch.Generator().manual_seed(seed)
    maxima = torch.randn(12, generator=generator).exp()
    weight = torch.randn(5, 12, generator=generator)
    scales = smooth_scales(maxima, weight, alpha)
    inputs, columns = maxima / scales, (weight * scales).abs().amax(dim=0)
    product = maxima * weight.abs().amax(dim=0)  # which no scale changes
    torch.testing.assert_close(inputs * columns, product)
    torch.testing.assert_close(inputs, product ** (1 - alpha))


def test_smooth_scales_of_dead_features_are_finite():
    scales = smooth_scales(torch.tensor([0.0, 1.0]), torch.tensor([[1.0, 0.0]]))
    assert scales.isfinite().all()
    assert (scales > 0).all()


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_smooth_scales_rejects_other_alphas(alpha):
    with pytest.raises(ValueError, match="alpha must be from 0 to 1"):
        smooth_scales(torch.ones(2), torch.ones(1, 2), alpha)


@torch.no_grad()
def test_activation_maxima_are_those_of_the_inputs():
    model, ids = disturbed(CONFIGS["llama"]), texts()
    maxima = activation_maxima(model, ids)
    block = model.blocks[1]
    x = model.hidden_states(ids)[1]
    read = block.attention_norm(x)
    expected = read.abs().amax(dim=(0, 1))
    for name in ("query", "key", "value"):
        torch.testing.assert_close(maxima[f"blocks.1.attention.{name}"], expected)
    x = block.feed_forward_norm(x + block.attention(read))
    wide = nn.functional.silu(block.feed_forward.gate(x)) * block.feed_forward.widen(x)
    torch.testing.assert_close(
        maxima["blocks.1.feed_forward.output"], wide.abs().amax(dim=(0, 1))
    )
    assert not any(layer._forward_pre_hooks for layer in model.modules())
