"""Rotary positions: queries and keys are turned by an angle that grows with their
position.

The product of a query and a key then depends on the distance between them, and not on
where in the text they stand.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer.rotary_scaling import RotaryScaling


class RotaryEmbedding(nn.Module):
    """Turns each pair of features of a query or key by the angle position x frequency.

    Feature i is paired with feature i + head_width/2, as in Llama and GPT-NeoX, and not
    with its neighbour, as in GPT-J and in the paper. Pair i turns at frequency
    base^(-2i/head_width), so the first pair turns fast and tells neighbours apart, and
    the last turns slowly and tells far from near.

    Args:
        head_width: The number of features of a query, an even number.
        context_length: The number of positions to prepare angles for.
        base: Sets the slowest frequency.
        scaling: Slows down the slow pairs, for texts longer than those of the training;
            None changes nothing.

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
        """Rotate queries or keys, which keeps their lengths.

        Args:
            x: The queries or keys.
            rotation: From the method `rotation`, for their positions; None for
                positions 0, 1, 2 and so on.
        """
        cosines, sines = (
            (self.cosines[: x.shape[-2]], self.sines[: x.shape[-2]])
            if rotation is None
            else rotation
        )
        # Each feature's partner is half a width away: (a, b) turns into (a cos - b sin,
        # b cos + a sin).
        return x * cosines + x.roll(x.shape[-1] // 2, dims=-1) * sines

    def rotation(
        self, positions: Int[Tensor, "rows position"]
    ) -> tuple[Tensor, Tensor]:
        """Return the cosines and sines of the angles at these positions."""
        return self.cosines[positions][:, None], self.sines[positions][:, None]


def rotary_frequencies(head_width: int, base: float | int) -> Float[Tensor, "pair"]:
    """Return how far each pair of features turns from one position to the next, in
    radians, as float64.

    >>> rotary_frequencies(4, 10_000)
    tensor([1.0000, 0.0100], dtype=torch.float64)
    """
    return float(base) ** (
        -torch.arange(0, head_width, 2, dtype=torch.float64, device="cpu") / head_width
    )
