"""Numbers packed into bytes, and the linear layers that compute with packed weights."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from .quantization import QuantizedMatrix, quantize_affine, quantize_symmetric


class PackedBlocks:
    """Blocks of consecutive tokens for all layers and heads, quantized as by
    `quantize_affine`.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int, int, int],
        bits: int,
        per: str,
        device: torch.device | str | None = None,
    ):
        *outer, tokens, features = shape
        groups, size = (features, tokens) if per == "channel" else (tokens, features)
        if bits not in (2, 4, 8) or per not in ("channel", "token"):
            raise ValueError(
                "bits must be 2, 4 or 8, and per channel or token; got "
                f"{bits=}, {per=}."
            )
        if size * bits % 8:
            raise ValueError(
                f"{size} numbers of {bits} bits do not fill whole bytes: choose a "
                f"multiple of {8 // bits}."
            )
        self.bits, self.per, self.size = bits, per, size
        self.packed = torch.zeros(
            *outer, groups, size * bits // 8, dtype=torch.uint8, device=device
        )
        self.scale, self.offset = (
            torch.zeros(*outer, groups, dtype=torch.float16, device=device)
            for _ in range(2)
        )

    @property
    def nbytes(self) -> int:
        """The bytes of levels, scales and offsets."""
        return sum(one.nbytes for one in (self.packed, self.scale, self.offset))

    def write(
        self,
        layer: int,
        first: int,
        blocks: Float[Tensor, "batch head block token feature"],
    ) -> None:
        """Quantize blocks and store them from number `first` on."""
        grouped = blocks.transpose(3, 4) if self.per == "channel" else blocks
        matrix = quantize_affine(grouped.reshape(-1, self.size), self.bits, self.size)
        place = (layer, slice(None), slice(None), slice(first, first + blocks.shape[2]))
        levels = matrix.levels.view(*grouped.shape).to(torch.uint8)
        self.packed[place] = pack(levels, self.bits)
        self.scale[place] = matrix.scale.view(grouped.shape[:-1]).half()
        self.offset[place] = matrix.offset.view(grouped.shape[:-1]).half()

    def read(
        self, layer: int, count: int, dtype: torch.dtype
    ) -> Float[Tensor, "batch head token feature"]:
        """Return the numbers that the first `count` blocks represent."""
        place = (layer, slice(None), slice(None), slice(count))
        levels = unpack(self.packed[place], self.bits).to(dtype)
        scale, offset = self.scale[place].to(dtype), self.offset[place].to(dtype)
        grouped = levels * scale[..., None] + offset[..., None]
        blocks = grouped.transpose(3, 4) if self.per == "channel" else grouped
        return blocks.flatten(2, 3)

    def select(self, rows: Sequence[int]) -> None:
        """Replace the rows by copies of these ones, in this order."""
        self.packed, self.scale, self.offset = (
            one[:, list(rows)] for one in (self.packed, self.scale, self.offset)
        )


def pack(
    levels: UInt8[Tensor, "*batch n"], bits: int
) -> UInt8[Tensor, "*batch packed"]:
    """Store 8 / bits levels in each byte, the first one in its lowest bits."""
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=levels.device)
    return (levels.unflatten(-1, (-1, 8 // bits)) << shifts).sum(-1, dtype=torch.uint8)


def unpack(
    packed: UInt8[Tensor, "*batch packed"], bits: int
) -> UInt8[Tensor, "*batch n"]:
    """Return the levels that `pack` stored."""
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=packed.device)
    return (packed[..., None] >> shifts & 2**bits - 1).flatten(-2)


COLUMNS = 32  # the kernels read past the end of rows that are not a multiple of this
ROWS = 16  # number of rows that the 4-bit kernel packs together
GROUP = 32  # weights in a row that share a scale and an offset


class TransposedLinear(nn.Module):
    """A full-precision linear layer whose matrix is stored transposed."""

    def __init__(self, weight: Float[Tensor, "out in"], bias: Tensor | None):
        super().__init__()
        self.register_buffer("transposed", weight.detach().T.contiguous())
        self.register_buffer("bias", None if bias is None else bias.detach())

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Return x times the transposed matrix, plus the bias."""
        product = self.multiply(x)
        return product if self.bias is None else product + self.bias

    def multiply(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Return x times the transposed matrix, without the bias."""
        return x @ self.transposed


class _PackedLinear(nn.Module):
    """A linear layer with packed weights, which its kinds multiply with."""

    def __init__(self, weight: Float[Tensor, "out in"], bias: Tensor | None):
        super().__init__()
        if weight.shape[1] % COLUMNS:
            raise ValueError(
                f"The kernels of quantized layers need a multiple of {COLUMNS} inputs, "
                f"got {weight.shape[1]}. Leave this layer in float32."
            )
        self.out_features, self.in_features = weight.shape
        self.register_buffer("bias", None if bias is None else bias.detach())

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        """Return x times the transposed matrix, plus the bias; in the dtype of x."""
        product = self.multiply(x.reshape(-1, self.in_features))
        product = product.reshape(*x.shape[:-1], self.out_features)
        return product if self.bias is None else product + self.bias


class Int8Linear(_PackedLinear):
    """A linear layer with 8-bit weights: one signed byte per weight and one scale per
    row (per output).

    Source: Dettmers et al., LLM.int8(), section 2.1 (absmax), with a scale for each
        row, https://arxiv.org/abs/2208.07339
    """

    def __init__(self, weight: Float[Tensor, "out in"], bias: Tensor | None):
        super().__init__(weight, bias)
        matrix = quantize_symmetric(weight.detach(), bits=8, group_size=weight.shape[1])
        self.register_buffer("levels", matrix.levels.to(torch.int8))
        self.register_buffer("scale", matrix.scale[:, 0].bfloat16())

    def multiply(self, rows: Float[Tensor, "n in"]) -> Float[Tensor, "n out"]:
        """Return the rows times the transposed matrix, without the bias."""
        multiply = torch._weight_int8pack_mm
        return multiply(rows.bfloat16(), self.levels, self.scale).to(rows.dtype)


class Int4Linear(_PackedLinear):
    """A linear layer with 4-bit weights: half a byte per weight, and a scale and an
    offset per group of 32 in a row.

    Source: Yao et al., ZeroQuant, section 4.1 (group-wise quantization),
        https://arxiv.org/abs/2206.01861
    """

    def __init__(self, weight: Float[Tensor, "out in"], bias: Tensor | None):
        super().__init__(weight, bias)
        self.padded = -self.out_features % ROWS  # rows of zeros
        matrix = functional.pad(weight.detach(), (0, 0, 0, self.padded))
        packed, scale_and_middle = _pack(quantize_affine(matrix, 4, GROUP))
        self.register_buffer("packed", packed)
        self.register_buffer("scale_and_middle", scale_and_middle)

    def multiply(self, rows: Float[Tensor, "n in"]) -> Float[Tensor, "n out"]:
        """Return the rows times the transposed matrix, without the bias."""
        product = torch._weight_int4pack_mm_for_cpu(
            rows.bfloat16(), self.packed, GROUP, self.scale_and_middle
        ).to(rows.dtype)
        return product[:, : self.out_features] if self.padded else product


class Int4PairLinear(_PackedLinear):
    """A linear layer with 8-bit weights in groups of 32, stored as two 4-bit halves:
    level = 16 x high + low.
    """

    def __init__(self, weight: Float[Tensor, "out in"], bias: Tensor | None):
        super().__init__(weight, bias)
        padded = functional.pad(weight.detach(), (0, 0, 0, -self.out_features % ROWS))
        matrix = quantize_affine(padded, 8, GROUP)
        high = (matrix.levels / 16).floor()
        low, zero = matrix.levels - 16 * high, torch.zeros_like(matrix.scale)
        halves = {
            "high": QuantizedMatrix(high, 16 * matrix.scale, matrix.offset, bits=4),
            "low": QuantizedMatrix(low, matrix.scale, zero, bits=4),
        }
        for name, half in halves.items():
            packed, scale_and_middle = _pack(half)
            self.register_buffer(f"{name}_packed", packed)
            self.register_buffer(f"{name}_scale_and_middle", scale_and_middle)

    def multiply(self, rows: Float[Tensor, "n in"]) -> Float[Tensor, "n out"]:
        """Return the rows times the transposed matrix, without the bias."""
        vectors, multiply = rows.bfloat16(), torch._weight_int4pack_mm_for_cpu
        high = multiply(vectors, self.high_packed, GROUP, self.high_scale_and_middle)
        low = multiply(vectors, self.low_packed, GROUP, self.low_scale_and_middle)
        return (high.float() + low.float())[:, : self.out_features].to(rows.dtype)


def _pack(matrix: QuantizedMatrix) -> tuple[Tensor, Tensor]:
    """Return levels, scales and offsets in the 4-bit kernel's memory layout."""
    levels = matrix.levels.to(torch.int32)
    packed = torch._convert_weight_to_int4pack_for_cpu(levels, 1)
    # The kernel counts its levels from -8, so its offset is the value of level 8.
    middle = matrix.offset + 8 * matrix.scale
    return packed, torch.stack((matrix.scale.T, middle.T), dim=2).bfloat16()
