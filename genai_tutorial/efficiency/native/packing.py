"""The memory layout of the weights for the C code: 4 or 8 bits per weight, in the order
in which one token reads them.

`matvec.h` describes a block of 32 weights: a word with its scale, then words with its
levels. The plain order is row after row. In the interleaved order, 16 rows are
side by side: the first word of each, then the second of each.
"""

import numpy as np
import torch
from jaxtyping import Float, UInt32
from torch import Tensor

from genai_tutorial.transformer import DecoderLM

from ..quantization import quantize_affine, quantize_symmetric

COLUMNS = 32  # in a block
GROUP = 16  # rows side by side


def pack_layers(model: DecoderLM, interleaved: bool) -> UInt32[np.ndarray, "words"]:
    """Return the matrices of all blocks in 4 bits, one behind the other."""
    parts = []
    for block in model.blocks:
        attention, feed_forward = block.attention, block.feed_forward
        for layers in (
            (attention.query, attention.key, attention.value),
            (attention.output,),
            (feed_forward.gate, feed_forward.widen),
            (feed_forward.output,),
        ):
            weight = torch.cat([layer.weight.detach() for layer in layers])
            parts.append(pack(weight, 4, interleaved))
    return np.concatenate(parts)


def pack(
    weight: Float[Tensor, "rows columns"], bits: int, interleaved: bool
) -> UInt32[np.ndarray, "words"]:
    """Quantize a matrix in groups of 32 columns and return its words."""
    missing = -weight.shape[0] % GROUP
    if missing:
        weight = torch.cat((weight, weight.new_zeros(missing, weight.shape[1])))
    blocks = _words4(weight) if bits == 4 else _words8(weight)
    if interleaved:
        groups = blocks.reshape(-1, GROUP, *blocks.shape[1:])
        blocks = groups.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(blocks).reshape(-1)


def _words4(weight: Tensor) -> UInt32[np.ndarray, "rows blocks 5"]:
    matrix = quantize_affine(weight, 4, COLUMNS)
    levels = matrix.levels.to(torch.uint8).numpy()
    pairs = levels[:, ::2] | levels[:, 1::2] << 4  # the first column in the lower half
    header = torch.stack((matrix.scale, matrix.offset), dim=-1).half().numpy()
    return _join(header, pairs)


def _words8(weight: Tensor) -> UInt32[np.ndarray, "rows blocks 9"]:
    matrix = quantize_symmetric(weight, 8, COLUMNS)
    levels = matrix.levels.to(torch.int8).numpy()
    return _join(matrix.scale.numpy()[..., None], levels)


def _join(header: np.ndarray, levels: np.ndarray) -> UInt32[np.ndarray, "r b words"]:
    rows, blocks = header.shape[:2]
    words = np.ascontiguousarray(levels).view(np.uint32).reshape(rows, blocks, -1)
    return np.concatenate((np.ascontiguousarray(header).view(np.uint32), words), axis=2)
