"""Absolute positional encodings: attention treats its input as a set, so information
about the order of the tokens has to be added.

The original Transformer adds sinusoidal waves of different wavelengths to the token
embeddings, GPT-2 a learned vector for each position. Newer models leave the embeddings
unchanged and rotate queries and keys (`rotary.py`) or penalize distant keys
(`alibi.py`).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class LearnedPositions(nn.Module):
    """Learned positional encoding: one vector for each position of the context.

    Args:
        width: The number of features in a vector.
    """

    def __init__(self, context_length: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(context_length, width))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        positions: Int[Tensor, "rows position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Add to each vector the encoding of its position; `positions=None` stands for
        0, 1, 2 and so on.
        """
        return x + (
            self.weight[: x.shape[1]] if positions is None else self.weight[positions]
        )


class SinusoidalPositions(nn.Module):
    """Sinusoidal positional encoding: fixed sines and cosines of the position.

    Features 2i and 2i + 1 are the sine and the cosine of position / 10,000^(2i/width).

    Args:
        width: The number of features in a vector.

    Source: Vaswani et al., Attention Is All You Need, section 3.5,
    https://arxiv.org/abs/1706.03762

    >>> SinusoidalPositions(context_length=2, width=4).weight
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """

    def __init__(self, context_length: int, width: int):
        super().__init__()
        frequencies = 10_000.0 ** (
            -torch.arange(0, width, 2, dtype=torch.float64, device="cpu") / width
        )
        angles = torch.outer(
            torch.arange(context_length, dtype=torch.float64, device="cpu"), frequencies
        )
        waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :width]
        self.register_buffer("weight", waves.float(), persistent=False)

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        positions: Int[Tensor, "rows position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Add to each vector the encoding of its position; `positions=None` stands for
        0, 1, 2 and so on.
        """
        return x + (
            self.weight[: x.shape[1]] if positions is None else self.weight[positions]
        )
