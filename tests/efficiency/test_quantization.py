"""Rounded weights and activations, and their outliers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import (
    int8_activations,
    prediction_divergence,
    quantize_affine,
    quantize_symmetric,
)
from genai_tutorial.efficiency.quantization import (
    ActivationQuantizedLinear,
    round_activations,
)
from genai_tutorial.transformer import DecoderConfig, DecoderLM

SHAPES = {
    "rows": st.integers(1, 5),
    "groups": st.integers(1, 4),
    "group_size": st.sampled_from((1, 2, 5, 32)),
}


def weights(rows: int, columns: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, columns, generator=generator) * torch.rand(
        rows, 1, generator=generator
    )


@pytest.mark.parametrize("quantize", [quantize_affine, quantize_symmetric])
@settings(max_examples=40)
@given(**SHAPES, bits=st.integers(2, 8), seed=st.integers(0, 2**31))
def test_quantization_error_is_at_most_half_a_step(
    quantize, rows, groups, group_size, bits, seed
):
    weight = weights(rows, groups * group_size, seed)
    matrix = quantize(weight, bits, group_size)
    moved = (matrix.dequantize() - weight).abs().unflatten(1, (groups, group_size))
    assert (moved <= matrix.scale[:, :, None] * 0.5 + 1e-6).all()
    assert matrix.group_size == group_size
    lowest, highest = (
        (0, 2**bits - 1)
        if quantize is quantize_affine
        else (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)
    )
    assert torch.equal(matrix.levels, matrix.levels.round())
    assert lowest <= matrix.levels.min()
    assert matrix.levels.max() <= highest


@pytest.mark.parametrize("seed", range(5))
def test_gguf_blocks_are_recovered_exactly(seed):
    # Q4_1: float16 scale and minimum, and 32 weights that use both ends of the grid.
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(0, 16, (64, 8, 32), generator=generator)
    levels[:, :, 3], levels[:, :, 17] = 0, 15
    scale = (torch.rand(64, 8, generator=generator) / 10 + 1e-3).half().float()
    minimum = (torch.randn(64, 8, generator=generator) / 10).half().float()
    weight = (levels * scale[:, :, None] + minimum[:, :, None]).flatten(1)
    matrix = quantize_affine(weight, bits=4, group_size=32)
    assert torch.equal(matrix.levels, levels.float().flatten(1))
    assert torch.equal(matrix.offset, minimum)
    torch.testing.assert_close(matrix.scale, scale, rtol=1e-4, atol=0)


@pytest.mark.parametrize("quantize", [quantize_affine, quantize_symmetric])
@pytest.mark.parametrize("value", [0.0, -2.5, 1e-30, 1e30])
def test_quantization_of_equal_weights(quantize, value):
    restored = quantize(torch.full((2, 8), value), 4, 4).dequantize()
    torch.testing.assert_close(restored, torch.full((2, 8), value), rtol=1e-6, atol=0)


@pytest.mark.parametrize("quantize", [quantize_affine, quantize_symmetric])
@pytest.mark.parametrize(
    ("weight", "bits", "group_size", "said"),
    [
        (torch.zeros(2, 8), 1, 4, "bits must be from 2 to 8, got 1"),
        (torch.zeros(2, 8), 9, 4, "bits must be from 2 to 8, got 9"),
        (
            torch.zeros(2, 8),
            4,
            3,
            "group_size must divide the number of columns.*got 3 for 8 columns",
        ),
        (torch.zeros(2, 8), 4, 0, "group_size must divide"),
        (torch.tensor([[0.0, torch.nan]]), 4, 2, "NaN or infinity"),
        (torch.tensor([[0.0, -torch.inf]]), 4, 2, "NaN or infinity"),
    ],
)
def test_quantization_rejects_invalid_arguments(
    quantize, weight, bits, group_size, said
):
    with pytest.raises(ValueError, match=said):
        quantize(weight, bits, group_size)


GRANULARITIES = ["tensor", "token", "group"]


def vectors(rows=20, features=64, seed=0):
    return torch.randn(rows, features, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("per", GRANULARITIES)
@settings(max_examples=20)
@given(
    batch=st.integers(1, 3),
    tokens=st.integers(1, 4),
    groups=st.integers(1, 3),
    bits=st.integers(2, 8),
    seed=st.integers(0, 2**31),
)
def test_round_activations_error_is_at_most_half_a_step(
    per, batch, tokens, groups, bits, seed
):
    x = vectors(batch * tokens, 32 * groups, seed).view(batch, tokens, -1)
    moved = (round_activations(x, bits, per) - x).abs()
    largest = {
        "tensor": x.abs().amax(),
        "token": x.abs().amax(dim=2, keepdim=True),
        "group": x.abs().unflatten(2, (-1, 32)).amax(dim=3).repeat_interleave(32, 2),
    }[per]
    assert (moved <= 0.5001 * largest / (2 ** (bits - 1) - 1)).all()


@pytest.mark.parametrize("per", GRANULARITIES)
def test_activation_quantized_linear_is_a_product_of_integers(per):
    x, weight = vectors(), vectors(rows=8, seed=1)
    plain = torch.nn.Linear(64, 8)
    plain.weight.data.copy_(weight)
    found = ActivationQuantizedLinear(plain, per)(x)
    right = quantize_symmetric(weight, 8, 64)
    if per == "tensor":
        left = quantize_symmetric(x.view(1, -1), 8, x.numel())
        sums = left.levels.view(20, 64) @ right.levels.T
        expected = sums * left.scale * right.scale.T
    else:
        left = quantize_symmetric(x, 8, 64 if per == "token" else 32)
        groups = zip(left.levels.split(left.group_size, 1),
                     right.levels.split(left.group_size, 1),
                     left.scale.T, strict=True)  # fmt: skip
        expected = sum(
            (a @ b.T) * scale[:, None] * right.scale.T for a, b, scale in groups
        )
    torch.testing.assert_close(found, expected + plain.bias, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_int8_activations_order_of_granularities():
    model = DecoderLM(DecoderConfig.llama(50, 64, 64, 2, 2, None, 96))
    model.token_embedding.weight[3] *= 100  # one token is an outlier
    for block in model.blocks:
        for norm in (block.attention_norm, block.feed_forward_norm):
            norm.weight[5] = 60.0  # and one feature
    ids = torch.randint(50, (4, 32), generator=torch.Generator().manual_seed(0))
    before = {name: one.clone() for name, one in model.state_dict().items()}
    kl = [
        prediction_divergence(model, int8_activations(model, per), ids).kl
        for per in GRANULARITIES
    ]
    assert kl[0] > 1.3 * kl[1] > 1.3 * kl[2] > 0
    assert all(
        torch.equal(before[name], one) for name, one in model.state_dict().items()
    )


def test_int8_activations_rejects_other_granularities():
    with pytest.raises(ValueError, match="per must be one of tensor, token, group"):
        int8_activations(DecoderLM(DecoderConfig(vocab_size=5)), "row")
