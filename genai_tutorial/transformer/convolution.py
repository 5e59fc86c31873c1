"""The short convolution: each position reads its nearest neighbours directly, without
asking attention.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from genai_tutorial.transformer.cache import LayerCache
from genai_tutorial.transformer.masks import sees_back


class ShortConvolution(nn.Module):
    """Adds to each vector the few before it, each feature times a weight of its own.

    Attention can find the previous letter, but has to learn how; this costs `neighbours
    x width` numbers and is there from the start. The weights begin at zero, so that an
    untrained layer changes nothing.

    Args:
        width: The number of features in a vector.
        neighbours: How many earlier positions are added.

    Source: Allen-Zhu, Physics of Language Models: Part 4.1, Architecture Design and the
        Magic of Canon Layers, section 3 (the residual form),
        https://arxiv.org/abs/2512.17351
    """

    def __init__(self, width: int, neighbours: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(neighbours, width))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        past: LayerCache | None = None,
        mask: Bool[Tensor, "batch 1 position position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Return each vector plus its weighted neighbours; before the first position
        there are zeros.

        Args:
            x: The vectors.
            past: Holds what came before `x`.
            mask: True where a position may see another; zeros stand for neighbours that
                it may not see.
        """
        neighbours, length = len(self.weight), x.shape[1]
        text = (
            functional.pad(x, (0, 0, neighbours, 0))
            if past is None
            else past.preceded(self, x, neighbours)
        )
        mixed = x
        for distance, weight in enumerate(self.weight, start=1):
            earlier = text[:, neighbours - distance :][:, :length]
            if mask is not None:
                earlier = earlier * sees_back(mask, distance)[..., None]
            mixed = mixed + earlier * weight
        return mixed


class NoConvolution(nn.Module):
    """Leaves the vectors as they are."""

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        past: LayerCache | None = None,
        mask: Bool[Tensor, "batch 1 position position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Return `x`."""
        return x
