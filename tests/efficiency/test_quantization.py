"""The quantizers: error bounds, exact recovery, and rejected arguments."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import quantize_affine, quantize_symmetric

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


@settings(max_examples=40)
@given(**SHAPES, bits=st.integers(2, 8), seed=st.integers(0, 2**31))
def test_affine_quantization_preserves_group_ends(rows, groups, group_size, bits, seed):
    weight = weights(rows, groups * group_size, seed)
    restored = quantize_affine(weight, bits, group_size).dequantize()
    for end in (torch.amin, torch.amax):
        before, after = (
            end(one.unflatten(1, (groups, group_size)), dim=2)
            for one in (weight, restored)
        )
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-6)


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


def test_quantization_error_shrinks_with_bits_and_group_size():
    weight = weights(64, 256, seed=0)
    error = [
        (quantize_affine(weight, bits, 32).dequantize() - weight).square().mean()
        for bits in range(2, 9)
    ]
    # A step of half the size makes a quarter of the squared error; the number of steps
    # is 2^bits - 1.
    ratios = torch.tensor([(fine / coarse).item() for coarse, fine in pairwise(error)])
    expected = torch.tensor(
        [((2**bits - 1) / (2 ** (bits + 1) - 1)) ** 2 for bits in range(2, 8)]
    )
    torch.testing.assert_close(ratios, expected, rtol=0.06, atol=0)
    by_group = [
        (quantize_affine(weight, 4, size).dequantize() - weight).square().mean()
        for size in (16, 32, 64, 128)
    ]
    assert by_group == sorted(by_group)


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
