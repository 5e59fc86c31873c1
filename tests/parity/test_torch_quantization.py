"""Rounding, with one scale per tensor, per row and per channel, equals PyTorch's own;
PyTorch's dynamic 8-bit layer makes the errors that ours predicts.
"""

import warnings

import pytest
import torch

from genai_tutorial.efficiency import quantize_affine, quantize_symmetric
from genai_tutorial.efficiency.linear import PackedBlocks
from genai_tutorial.efficiency.quantization import round_activations
from tests.drawn import normal
from tests.parity.weights import same


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_round_activations_is_torchs(bits):
    x, top = normal(7, 32), 2 ** (bits - 1) - 1
    scale = float(x.abs().max() / top)
    expected = torch.fake_quantize_per_tensor_affine(x, scale, 0, -top, top)
    same(round_activations(x, bits, "tensor"), expected, rtol=1e-6, atol=1e-6)
    scales, zeros = x.abs().amax(dim=1) / top, torch.zeros(7, dtype=torch.int32)
    expected = torch.fake_quantize_per_channel_affine(x, scales, zeros, 0, -top, top)
    same(round_activations(x, bits, "token"), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_quantize_affine_is_torchs_with_the_zero_point_not_rounded(bits):
    # torch rounds the offset to a whole number of steps; ours is moved onto its grid.
    x, top = normal(9, 32), 2**bits - 1
    scale = (x.amax(dim=1) - x.amin(dim=1)) / top
    zero = (-x.amin(dim=1) / scale).round().int()
    expected = torch.fake_quantize_per_channel_affine(x, scale, zero, 0, 0, top)
    found = quantize_affine(x, bits, 32)
    shift = found.offset[:, 0] + zero * scale  # less than half a step
    assert (shift.abs() <= 0.5001 * scale).all()
    moved = (found.dequantize() - expected).abs()
    assert (moved <= scale[:, None] * 1.0001).all()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packed_keys_per_channel_are_torchs(bits):
    top = 2**bits - 1
    # From 0 in steps of 1/4, so that 16-bit scales lose nothing.
    generator = torch.Generator().manual_seed(0)
    keys = 0.25 * top * torch.rand(1, 2, 1, 16, 8, generator=generator)
    keys[..., 0, :], keys[..., 1, :] = 0, 0.25 * top
    store = PackedBlocks((1, 1, 2, 1, 16, 8), bits, "channel")
    store.write(0, 0, keys)
    channels = keys[0, :, 0].transpose(1, 2).reshape(16, 16)
    expected = torch.fake_quantize_per_channel_affine(
        channels, torch.full((16,), 0.25), torch.zeros(16, dtype=torch.int32), 0, 0, top
    )
    found = store.read(0, 1, torch.float32)[0].transpose(1, 2).reshape(16, 16)
    torch.testing.assert_close(found, expected)


@torch.no_grad()
def test_dynamic_quantization_of_torch_is_one_scale_per_tensor():
    """Its activations have 7 bits on x86 and one scale for all tokens, so that an
    outlier in one of them spoils all the others; a scale per token is 20 times better.
    """
    x = normal(64, 128)
    x[0, 3] = 300.0
    layer = torch.nn.Linear(128, 64, bias=False)
    layer.weight.copy_(normal(64, 128, seed=1) / 11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # to be replaced by torchao
        dynamic = torch.ao.quantization.quantize_dynamic(
            torch.nn.Sequential(layer), {torch.nn.Linear}, dtype=torch.qint8
        )
        theirs = dynamic(x)[1:]
    exact = layer(x)[1:]
    weight = quantize_symmetric(layer.weight, 8, 128).dequantize()

    def error(rounded):
        return float((rounded[1:] @ weight.T - exact).square().mean())

    theirs_error = float((theirs - exact).square().mean())
    affine = quantize_affine(x.reshape(1, -1), 7, x.numel()).dequantize()
    assert theirs_error == pytest.approx(error(affine.view_as(x)), rel=0.15)
    assert theirs_error > 20 * error(round_activations(x, 8, "token"))
