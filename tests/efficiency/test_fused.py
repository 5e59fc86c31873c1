"""The fused decoder equals the original in float32 and approximates it if quantized."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch
from torch import nn

from genai_tutorial.efficiency import quantize_affine, quantize_symmetric, quantized
from genai_tutorial.transformer import (
    AttentionConfig,
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    InitializationConfig,
    MixtureConfig,
)
from tests.decoders import mixtral

SMALL = {"vocab_size": 50, "context_length": 64, "width": 64, "layers": 3, "heads": 4}
CONFIGS = {
    "gpt2": DecoderConfig.gpt2(**SMALL),
    "fast": DecoderConfig.fast(**SMALL),
    "llama": DecoderConfig.llama(**SMALL, key_value_heads=2, feed_forward_width=96),
    "llama, tied": DecoderConfig.llama(
        **SMALL, key_value_heads=1, feed_forward_width=96, tied_embeddings=True
    ),
    "window": DecoderConfig.llama(
        **SMALL, key_value_heads=2, feed_forward_width=96, sliding_window=5
    ),
    "mixtral": mixtral(**SMALL, key_value_heads=2, feed_forward_width=96, experts=4),
    "alibi": replace(
        DecoderConfig.gpt2(**SMALL), attention=AttentionConfig(positions="alibi")
    ),
}


def read(model, ids, cache):
    return model(ids, AttentionContext.cached(cache))


@pytest.fixture(params=CONFIGS)
def model(request):
    config = CONFIGS[request.param]
    # Larger first weights than in training, so that the layers do something and the
    # best token changes.
    initialization = InitializationConfig(std=0.2)
    return DecoderLM(replace(config, initialization=initialization), seed=1).eval()


@pytest.fixture
def ids():
    return torch.randint(0, 50, (2, 20), generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_fused_float32_equals_model(model, ids):
    fast = quantized(model, "float32")
    torch.testing.assert_close(fast(ids), model(ids), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        fast.hidden_states(ids), model.hidden_states(ids), rtol=1e-4, atol=1e-4
    )


@torch.no_grad()
def test_fused_float32_equals_model_with_cache(model, ids):
    fast = quantized(model, "float32")
    cache = fast.make_cache(2)
    parts = [read(fast, part, cache) for part in ids.split((7, 1, 1, 11), dim=1)]
    torch.testing.assert_close(
        torch.cat(parts, dim=1), model(ids), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("precision", ["float32", "int8", "int4"])
@torch.no_grad()
def test_fused_single_token_path_equals_plain_block(model, ids, precision):
    fast = quantized(model, precision)
    alone, together = fast.make_cache(1), fast.make_cache(2)
    read(fast, ids[:1, :5], alone), read(fast, ids[:, :5], together)
    for position in range(5, 20):
        one = read(fast, ids[:1, position : position + 1], alone)
        torch.testing.assert_close(
            one,
            read(fast, ids[:, position : position + 1], together)[:1],
            rtol=1e-4,
            atol=1e-4,
        )
    torch.testing.assert_close(alone.keys, together.keys[:, :1], rtol=1e-4, atol=1e-4)


def with_levels(model: DecoderLM, bits: int) -> DecoderLM:
    """Return the plain model with dequantized weights, in float32 throughout."""

    def restored(weight: torch.Tensor, affine_bits: int) -> torch.Tensor:
        weight = weight.detach()
        if bits == 8:
            return quantize_symmetric(weight, 8, weight.shape[1]).dequantize()
        return quantize_affine(weight, affine_bits, 32).dequantize()

    copy = DecoderLM(replace(model.config, tied_embeddings=False)).eval()
    copy.load_state_dict(model.state_dict(), strict=False)
    head = model.token_embedding if model.head is None else model.head
    copy.head.weight.data = restored(head.weight, 8)
    for name, module in copy.blocks.named_modules():
        if isinstance(module, nn.Linear) and not name.endswith("router.scores"):
            module.weight.data = restored(module.weight, 4)
    return copy


@pytest.mark.parametrize("bits", [4, 8])
@torch.no_grad()
def test_quantized_model_equals_dequantized_weights(model, ids, bits):
    if model.config.mixture:
        # All experts work, because a rounding error can send a token to another one.
        experts = model.config.mixture.experts
        mixture = MixtureConfig(experts, experts_per_token=experts)
        model = DecoderLM(replace(model.config, mixture=mixture), seed=1)
    fast, same = quantized(model, f"int{bits}"), with_levels(model, bits)
    exact, close, rough = same(ids), fast(ids), model(ids)
    # bfloat16 rounds at most by 2%, on seven configs and six seeds; the levels by twice
    # as much, or with four bits by twenty times as much.
    rounding, quantizing = (
        (close - exact).norm() / exact.norm(),
        (rough - exact).norm() / exact.norm(),
    )
    assert rounding < 0.025
    assert quantizing > (15 if bits == 4 else 1.4) * rounding


@pytest.mark.parametrize("precision", ["float32", "int8", "int4"])
def test_quantized_leaves_model_unchanged_and_shares_other_weights(
    model, ids, precision
):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fast = quantized(model, precision)
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()
    )
    assert (
        fast.token_embedding.weight.data_ptr()
        == model.token_embedding.weight.data_ptr()
    )
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not fast.training
    model(ids).sum().backward()  # training can continue
    assert not fast(ids).requires_grad


@pytest.mark.slow
def test_quantized_lets_original_matrices_be_freed():
    model = DecoderLM(CONFIGS["llama"])
    fast = quantized(model, "int4")
    matrix = weakref.ref(model.blocks[0].attention.query.weight)
    assert matrix() is not None
    del model
    gc.collect()
    assert matrix() is None
    assert fast.token_embedding.weight.isfinite().all()


def test_quantized_rejects_invalid_arguments():
    model = DecoderLM(CONFIGS["llama"])
    with pytest.raises(
        ValueError, match="precision must be one of float32, int8, int4; got 'int2'"
    ):
        quantized(model, "int2")
    with pytest.raises(
        ValueError, match=r"must be in float32 on the CPU, got torch\.bfloat16 on cpu"
    ):
        quantized(model.bfloat16(), "int4")
    narrow = DecoderLM(DecoderConfig.llama(50, 64, 48, 3, 2, 2, 96))
    with pytest.raises(ValueError, match="multiple of 32 inputs, got 48"):
        quantized(narrow, "int4")
