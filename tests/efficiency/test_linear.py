"""The packed kernels agree with the reference quantizers on every processor."""

import json
import os
import platform
import subprocess
import sys

import pytest
import torch
from torch.nn import functional

from genai_tutorial.efficiency import quantize_affine, quantize_symmetric
from genai_tutorial.efficiency.linear import Int4Linear, Int4PairLinear, Int8Linear
from tests.drawn import normal

CHECK = """
import torch
from genai_tutorial.efficiency.linear import Int4Linear, Int8Linear
generator = torch.Generator().manual_seed(0)
weight, x = torch.randn(48, 64, generator=generator), torch.randn(3, 64, generator=generator)
results = [layer(x).tolist() for layer in (Int4Linear(weight, None), Int8Linear(weight, None))]
"""  # noqa: E501


def by_hand(
    weight: torch.Tensor, x: torch.Tensor, bits: int, group_size: int
) -> torch.Tensor:
    """Multiply as the kernels do, in readable steps: levels times rounded scales,
    rounded inputs, exact sums.
    """
    quantize = quantize_affine if bits == 4 else quantize_symmetric
    matrix = quantize(weight, bits, group_size)
    middle = 8 if bits == 4 else 0
    groups = matrix.levels.unflatten(1, (-1, group_size)) - middle
    scale, offset = (
        matrix.scale.bfloat16().double(),
        (matrix.offset + middle * matrix.scale).bfloat16().double(),
    )
    restored = (groups.double() * scale[:, :, None] + offset[:, :, None]).flatten(1)
    return x.bfloat16().double() @ restored.T


@pytest.mark.parametrize("rows", [1, 16, 65, 192])
@pytest.mark.parametrize("columns", [32, 96, 256])
@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 5)])
def test_packed_kernels_match_reference_arithmetic(rows, columns, batch):
    weight = normal(rows, columns, seed=rows)
    x = normal(*batch, columns, seed=columns)
    for layer, bits, group_size in (
        (Int4Linear(weight, None), 4, 32),
        (Int8Linear(weight, None), 8, columns),
    ):
        result = layer(x)
        assert result.dtype == x.dtype
        # bfloat16 keeps 8 bits: each product and the sum are rounded to about a 256th.
        exact = by_hand(weight, x, bits, group_size)
        size = x.abs() @ weight.abs().T
        assert ((result - exact).abs() / size).max() < 1 / 256
        assert (result - exact).norm() / exact.norm() < 1 / 256


@pytest.mark.parametrize("rows", [1, 16, 65])
@pytest.mark.parametrize("batch", [(), (3,), (2, 5)])
@pytest.mark.parametrize("seed", range(5))
def test_int4_pair_equals_int8_levels(rows, batch, seed):
    weight, x = normal(rows, 256, seed=seed), normal(*batch, 256, seed=100 + seed)
    bias = normal(rows, seed=200 + seed)
    exact = x.bfloat16().float() @ quantize_affine(weight, 8, 32).dequantize().T + bias
    result = Int4PairLinear(weight, bias)(x)
    size = x.abs() @ weight.abs().T + bias.abs()
    assert ((result - exact).abs() / size).max() < 1 / 256
    # 8 bits in groups of 32 have smaller errors than 8 bits per row, on top of the
    # rounding to bfloat16 in both.
    weight, x = normal(64, 256, seed=seed), normal(100, 256, seed=100 + seed)
    exact = functional.linear(x, weight)
    pair, rows_of_bytes = (
        (kind(weight, None)(x) - exact).norm() for kind in (Int4PairLinear, Int8Linear)
    )
    assert pair < 0.85 * rows_of_bytes


@pytest.mark.parametrize("kind", [Int4Linear, Int8Linear])
def test_packed_linear_adds_bias(kind):
    weight, bias = normal(17, 64, seed=0), normal(17, seed=1)
    x = normal(2, 64, seed=2)
    torch.testing.assert_close(kind(weight, bias)(x), kind(weight, None)(x) + bias)


@pytest.mark.parametrize("kind", [Int4Linear, Int4PairLinear, Int8Linear])
def test_packed_linear_returns_input_dtype(kind):
    layer, x = kind(normal(16, 32, seed=0), None), normal(2, 32, seed=1)
    assert layer(x.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(layer(x.bfloat16()), layer(x).bfloat16())
    assert layer(x[:0]).shape == (0, 16)


def test_packed_linear_memory():
    weight = torch.zeros(64, 128)
    eight, four = (
        sum(one.nbytes for one in kind(weight, None).buffers())
        for kind in (Int8Linear, Int4Linear)
    )
    assert eight == 64 * 128 + 64 * 2
    # five bits per weight, with scales and offsets
    assert four == 64 * 128 / 2 + 64 * 4 * 2 * 2


@pytest.mark.slow
@pytest.mark.parametrize("capability", ["default", "avx2"])
def test_packed_kernels_agree_across_instruction_sets(capability):
    # A separate process, because torch chooses its instructions only once.
    program = (
        CHECK + "print(torch.backends.cpu.get_cpu_capability(), results, sep='\\n')"
    )
    environment = os.environ | {"ATEN_CPU_CAPABILITY": capability}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    used, narrow = done.stdout.splitlines()
    if platform.machine() in ("x86_64", "AMD64"):
        assert used == capability.upper()
    wide = {}
    exec(CHECK, wide)
    torch.testing.assert_close(
        torch.tensor(json.loads(narrow)),
        torch.tensor(wide["results"]),
        rtol=1 / 64,
        atol=1 / 16,
    )


@pytest.mark.parametrize("kind", [Int4Linear, Int4PairLinear, Int8Linear])
@pytest.mark.parametrize("columns", [5, 33, 48])
def test_packed_linear_rejects_unaligned_columns(kind, columns):
    with pytest.raises(ValueError, match=f"multiple of 32 inputs, got {columns}"):
        kind(torch.zeros(16, columns), None)
