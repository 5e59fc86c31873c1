"""Quantization: weights rounded to a few levels, which are stored as integers.

Generating a token reads every weight once, so reading them takes most of the time:
fewer bits per weight mean faster generation. Neighbouring weights form a group, which
shares a scale (the step between levels) and an offset (the value of level 0):

    weight ≈ scale x level + offset
"""

from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer import DecoderLM


@dataclass(frozen=True)
class QuantizedMatrix:
    """Integer levels in groups along each row, each group with its own scale and
    offset.

    Attributes:
        levels: The integers, stored as floats so that they can be multiplied.
        scale: The step between two neighbouring levels, per group.
        offset: The weight at level 0, per group.
        bits: The number of bits per level.
    """

    levels: Float[Tensor, "rows columns"]
    scale: Float[Tensor, "rows groups"]
    offset: Float[Tensor, "rows groups"]
    bits: int

    @property
    def group_size(self) -> int:
        """The number of neighbouring weights that share a scale."""
        return self.levels.shape[1] // self.scale.shape[1]

    def dequantize(self) -> Float[Tensor, "rows columns"]:
        """Return the weights that the levels represent."""
        groups = self.levels.unflatten(1, (-1, self.group_size))
        return (groups * self.scale[:, :, None] + self.offset[:, :, None]).flatten(1)


def quantize_affine(
    weight: Float[Tensor, "rows columns"], bits: int, group_size: int
) -> QuantizedMatrix:
    """Quantize a matrix with levels 0 to 2^bits - 1, spaced evenly from each group's
    smallest weight to its largest.

    No weight changes by more than half a step. Weights that already lie on such a grid
    and use both its ends are recovered exactly, so the 4-bit blocks (Q4_1, groups of
    32) of a GGUF file survive being expanded to floats and quantized again.

    Args:
        bits: From 2 to 8.
        group_size: The number of neighbouring weights in a row that share a scale; must
            divide the number of columns.

    Raises:
        ValueError: If an argument is out of range, or the weights contain NaN or
            infinity.

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
    """Quantize a matrix with levels from -(2^(bits-1) - 1) to 2^(bits-1) - 1, scaled to
    each group's largest absolute weight.

    Zero stays zero, and there is no offset to store. A group whose weights all have one
    sign wastes half the levels.

    Args:
        bits: From 2 to 8.
        group_size: The number of neighbouring weights in a row that share a scale; must
            divide the number of columns.

    Raises:
        ValueError: If an argument is out of range, or the weights contain NaN or
            infinity.

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
    """Return the step between levels; 1 if all weights of a group are equal, to avoid
    a division by zero.
    """
    return torch.where(span > 0, span / count, 1.0)


def _check(weight: Tensor, bits: int, group_size: int) -> None:
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must be from 2 to 8, got {bits}.")
    if group_size < 1 or weight.shape[1] % group_size:
        raise ValueError(
            "group_size must divide the number of columns, so that all groups are "
            f"equally long; got {group_size} for {weight.shape[1]} columns."
        )
    if not weight.isfinite().all():
        raise ValueError(
            "The weights contain NaN or infinity, which no level can represent. Did "
            "training diverge?"
        )


GRANULARITIES = ("tensor", "token", "group")
GROUP = 32  # features that share a scale


def round_activations(
    x: Float[Tensor, "*batch features"], bits: int, per: str
) -> Float[Tensor, "*batch features"]:
    """Round activations to the levels of a signed integer, and return the values that
    the levels represent.

    Source: Yao et al., ZeroQuant, section 4.1 (token-wise),
        https://arxiv.org/abs/2206.01861
    """
    size = {"tensor": x.numel(), "token": x.shape[-1], "group": GROUP}[per]
    rows = x.reshape(1, -1) if per == "tensor" else x.reshape(-1, x.shape[-1])
    return quantize_symmetric(rows, bits, size).dequantize().view(x.shape)


class ActivationQuantizedLinear(nn.Module):
    """A linear layer whose weights and inputs are rounded to 8 bits; the weights have a
    scale per row.
    """

    def __init__(self, plain: nn.Linear, per: str):
        super().__init__()
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.per = per
        weight = plain.weight.detach()
        rounded = quantize_symmetric(weight, 8, weight.shape[1]).dequantize()
        self.register_buffer("weight", rounded)
        self.register_buffer("bias", None if plain.bias is None else plain.bias.data)

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Return the rounded inputs times the transposed matrix, plus the bias."""
        rounded = round_activations(x, 8, self.per)
        return functional.linear(rounded, self.weight, self.bias)


def int8_activations(model: DecoderLM, per: str) -> DecoderLM:
    """Return a copy of a decoder in which all linear layers of the blocks have 8-bit
    weights and 8-bit inputs.

    Args:
        per: The inputs that share a scale: a "tensor", a "token" or a "group" of 32
            features.

    Raises:
        ValueError: If there is no such granularity, or the weights contain NaN or
            infinity.
    """
    if per not in GRANULARITIES:
        raise ValueError(f"per must be one of {', '.join(GRANULARITIES)}; got {per!r}.")
    copy = deepcopy(model)
    for module in list(copy.blocks.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, ActivationQuantizedLinear(child, per))
    return copy
