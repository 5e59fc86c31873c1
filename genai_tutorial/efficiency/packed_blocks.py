"""Blocks of keys or values in a few bits per number, packed into bytes."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from .quantization import quantize_affine


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
