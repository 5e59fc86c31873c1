"""Quantization: a matrix of whole numbers, and what turns them back into weights.

Generating one token reads every weight once, so the time is the time it takes to read
them: fewer bits, faster text. A group of neighbouring weights shares a scale, the size
of a step, and an offset, the value of level zero:

    weight ≈ scale x level + offset
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class QuantizedMatrix:
    """Whole numbers in groups along each row, each group with its own scale and offset.

    Attributes:
        levels: The whole numbers, as float so that they can be multiplied.
        scale: How far apart two neighbouring levels of a group are.
        offset: Which weight level 0 of a group stands for.
        bits: How many bits a level needs.
    """

    levels: Float[Tensor, "rows columns"]
    scale: Float[Tensor, "rows groups"]
    offset: Float[Tensor, "rows groups"]
    bits: int

    @property
    def group_size(self) -> int:
        """How many neighbouring weights share a scale."""
        return self.levels.shape[1] // self.scale.shape[1]

    def dequantize(self) -> Float[Tensor, "rows columns"]:
        """Return the weights that the levels stand for."""
        groups = self.levels.unflatten(1, (-1, self.group_size))
        return (groups * self.scale[:, :, None] + self.offset[:, :, None]).flatten(1)


def quantize_affine(
    weight: Float[Tensor, "rows columns"], bits: int, group_size: int
) -> QuantizedMatrix:
    """Spreads the levels 0 to 2^bits - 1 evenly from a group's smallest weight to its
    largest.

    No weight moves by more than half a step. Weights that lie on such a grid already,
    with both its ends in use, come back as they were: so the 4-bit blocks (Q4_1, 32
    weights) of a GGUF file can be read as numbers and found again.

    Args:
        weight: The matrix of a linear layer.
        bits: From 2 to 8.
        group_size: How many neighbours in a row share a scale; must divide the number
            of columns.

    Raises:
        ValueError: If an argument is out of range, or the weights hold NaN or infinity.

    Source: Jacob et al., Quantization and Training of Neural Networks for Efficient
        Integer-Arithmetic-Only Inference, equation 1 with offset = -scale x zero point,
        https://arxiv.org/abs/1712.05877

    >>> row = quantize_affine(
    ...     torch.tensor([[-1.0, 0.2, 1.1, 2.0]]), bits=2, group_size=4
    ... )
    >>> row.levels, row.scale, row.offset  # steps of 1, beginning at -1
    (tensor([[0., 1., 2., 3.]]), tensor([[1.]]), tensor([[-1.]]))
    >>> row.dequantize()
    tensor([[-1.,  0.,  1.,  2.]])
    """
    _check(weight, bits, group_size)
    groups = weight.unflatten(1, (-1, group_size))
    offset = groups.amin(dim=2)
    scale = _steps(groups.amax(dim=2) - offset, 2**bits - 1)
    levels = ((groups - offset[:, :, None]) / scale[:, :, None]).round()
    return QuantizedMatrix(levels.flatten(1), scale, offset, bits)


def quantize_symmetric(
    weight: Float[Tensor, "rows columns"], bits: int, group_size: int
) -> QuantizedMatrix:
    """Spreads the levels evenly around zero: from -(2^(bits-1) - 1) to 2^(bits-1) - 1,
    where the largest weight lies.

    Zero stays zero, and there is no offset to store. A group that lies on one side of
    zero wastes half the levels.

    Args:
        weight: The matrix of a linear layer.
        bits: From 2 to 8.
        group_size: How many neighbours in a row share a scale; must divide the number
            of columns.

    Raises:
        ValueError: If an argument is out of range, or the weights hold NaN or infinity.

    Source: Dettmers et al., LLM.int8(), section 2.1 (absmax quantization),
    https://arxiv.org/abs/2208.07339

    >>> quantize_symmetric(
    ...     torch.tensor([[-0.5, 0.2, 1.1, 3.0]]), bits=3, group_size=4
    ... ).levels
    tensor([[-0., 0., 1., 3.]])
    """
    _check(weight, bits, group_size)
    groups = weight.unflatten(1, (-1, group_size))
    scale = _steps(groups.abs().amax(dim=2), 2 ** (bits - 1) - 1)
    levels = (groups / scale[:, :, None]).round()
    return QuantizedMatrix(levels.flatten(1), scale, torch.zeros_like(scale), bits)


def _steps(span: Tensor, count: int) -> Tensor:
    """Return the size of a step; 1 where all weights of a group are equal, because
    dividing by 0 gives no level.
    """
    return torch.where(span > 0, span / count, 1.0)


def _check(weight: Tensor, bits: int, group_size: int) -> None:
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be from 2 to 8, got {bits}.")
    if group_size < 1 or weight.shape[1] % group_size:
        raise ValueError(
            "group_size must divide the number of columns, so that all groups are "
            f"equally long; got {group_size} "
            f"for {weight.shape[1]} columns."
        )
    if not weight.isfinite().all():
        raise ValueError(
            "The weights hold NaN or infinity, which no level can stand for. Did "
            "training diverge?"
        )
