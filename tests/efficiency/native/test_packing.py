"""The words for the C code hold the quantized weights, in both orders."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.efficiency import quantize_affine, quantize_symmetric
from genai_tutorial.efficiency.native.build import pack


def random_matrix(rows, columns, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def unpack4(words, rows, columns):
    """Read the words as matvec.h describes them, one weight at a time."""
    blocks = words.reshape(-1, columns // 32, 5)
    header = np.ascontiguousarray(blocks[..., 0]).view(np.float16)
    scale, offset = header[:, 0::2], header[:, 1::2]
    shifts = 4 * np.arange(8, dtype=np.uint32)
    levels = (blocks[..., 1:, None] >> shifts & 15).reshape(*blocks.shape[:2], 32)
    weight = levels * scale[..., None].astype(float) + offset[..., None]
    return torch.tensor(weight.reshape(len(blocks), columns)[:rows]).float()


def unpack8(words, rows, columns):
    blocks = words.reshape(-1, columns // 32, 9)
    scale = np.ascontiguousarray(blocks[..., :1]).view(np.float32)
    levels = np.ascontiguousarray(blocks[..., 1:]).view(np.int8)
    weight = (levels * scale).reshape(len(blocks), columns)
    return torch.tensor(weight[:rows])


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 4), st.integers(0, 9))
def test_packed_words_hold_the_quantized_weights(rows, blocks, seed):
    """With 4 bits up to the rounding of scale and offset to half precision: 15 levels
    times 2^-11 of the scale, and as much of the offset.
    """
    weight = random_matrix(rows, 32 * blocks, seed)
    four = quantize_affine(weight, 4, 32)
    bound = (15 * four.scale + four.offset.abs()).max() * 2**-11
    found = unpack4(pack(weight, 4, interleaved=False), rows, 32 * blocks)
    torch.testing.assert_close(found, four.dequantize(), rtol=0, atol=bound.item())
    eight = quantize_symmetric(weight, 8, 32).dequantize()
    found = unpack8(pack(weight, 8, interleaved=False), rows, 32 * blocks)
    torch.testing.assert_close(found, eight)


@pytest.mark.parametrize(("bits", "words"), [(4, 5), (8, 9)])
def test_interleaved_order_has_sixteen_rows_side_by_side(bits, words):
    weight = random_matrix(48, 64)
    plain = pack(weight, bits, interleaved=False).reshape(3, 16, 2, words)
    interleaved = pack(weight, bits, interleaved=True).reshape(3, 2, words, 16)
    for group, row, block, word in np.ndindex(plain.shape):
        assert interleaved[group, block, word, row] == plain[group, row, block, word]


def test_packed_rows_are_filled_up_with_zeros():
    words = pack(random_matrix(17, 32), 4, interleaved=False)
    assert len(words) == 32 * 5
    assert torch.equal(unpack4(words, 32, 32)[17:], torch.zeros(15, 32))


def test_packed_half_precision_grid_is_exact():
    """Weights on a grid whose scale and offset are 16-bit floats, as in a GGUF file."""
    levels = torch.arange(16).repeat(4, 2)
    weight = levels * torch.tensor(0.0123).half().float() - torch.tensor(0.1).half()
    found = unpack4(pack(weight, 4, interleaved=False), 4, 32)
    torch.testing.assert_close(found, weight, rtol=0, atol=1e-7)
