"""Rotary position embedding (RoPE): queries and keys are rotated by an angle
proportional to their position.

For given vectors, the dot product of a rotated query and a rotated key depends on the
distance between their positions, and not on the positions themselves.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .rotary_scaling import RotaryScaling


class RotaryEmbedding(nn.Module):
    """Rotary position embedding: rotates each pair of features of a query or key by
    position x frequency.

    Feature i is paired with feature i + head_width/2, as in GPT-NeoX and in the
    transformers library's Llama, and not with its neighbour, as in GPT-J, the paper and
    Meta's own Llama code. The frequency of pair i is base^(-2i/head_width): the first
    pair rotates fast and distinguishes neighbouring positions, the last rotates slowly
    and distinguishes far ones.

    Args:
        head_width: The number of features per head, an even number.
        context_length: The number of positions to precompute angles for.
        base: The base of the frequencies; the larger it is, the slower the slow pairs.
        scaling: Lowers frequencies for texts longer than those in training; None for no
            scaling.

    Raises:
        ValueError: If `head_width` is odd.

    Source: Su et al., RoFormer, equation 34, https://arxiv.org/abs/2104.09864
    """

    def __init__(
        self,
        head_width: int,
        context_length: int,
        base: float | int = 10_000,
        scaling: RotaryScaling | None = None,
    ):
        super().__init__()
        if head_width % 2:
            raise ValueError(
                "head_width must be even, because features are rotated in pairs; got "
                f"{head_width}."
            )
        frequencies, factor = rotary_frequencies(head_width, base), 1.0
        if scaling is not None:
            frequencies, factor = (
                scaling.scale(frequencies, base),
                scaling.attention_factor,
            )
        # float64, so that the angles of far positions are exact before they are stored
        # as float32. On the CPU, so that a model whose weights are still to be loaded
        # (torch's meta device) has its angles nevertheless.
        angles = torch.outer(
            torch.arange(context_length, dtype=torch.float64, device="cpu"), frequencies
        )
        cosines, sines = (
            (factor * angles.cos()).float(),
            (factor * angles.sin()).float(),
        )
        # Not persistent: they follow from the settings, so a checkpoint need not carry
        # them.
        self.register_buffer(
            "cosines", torch.cat((cosines, cosines), dim=-1), persistent=False
        )
        self.register_buffer(
            "sines", torch.cat((-sines, sines), dim=-1), persistent=False
        )

    def forward(
        self,
        x: Float[Tensor, "*batch position dim"],
        rotation: tuple[Tensor, Tensor] | None = None,
    ) -> Float[Tensor, "*batch position dim"]:
        """Rotate queries or keys; their norms change only by YaRN's attention factor.

        Args:
            x: The queries or keys.
            rotation: The output of `rotation` for their positions; None for positions
                0, 1, 2 and so on.
        """
        cosines, sines = (
            (self.cosines[: x.shape[-2]], self.sines[: x.shape[-2]])
            if rotation is None
            else rotation
        )
        # Each feature's partner is half a width away: (a, b) becomes (a cos - b sin,
        # b cos + a sin).
        return x * cosines + x.roll(x.shape[-1] // 2, dims=-1) * sines

    def rotation(
        self, positions: Int[Tensor, "rows position"]
    ) -> tuple[Tensor, Tensor]:
        """Return the cosines and sines of the angles at these positions."""
        return self.cosines[positions][:, None], self.sines[positions][:, None]

    def no_rotation(self) -> tuple[Tensor, Tensor]:
        """Return the cosine and sine of no angle, for keys to be rotated later."""
        return self.cosines.new_ones(()), self.sines.new_zeros(())


def rotary_frequencies(head_width: int, base: float | int) -> Float[Tensor, "pair"]:
    """Return the frequency of each pair of features in radians per position, as
    float64.

    >>> rotary_frequencies(4, 10_000)
    tensor([1.0000, 0.0100], dtype=torch.float64)
    """
    return float(base) ** (
        -torch.arange(0, head_width, 2, dtype=torch.float64, device="cpu") / head_width
    )
