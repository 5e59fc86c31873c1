"""Showing the discriminator how varied a batch is: one sample alone cannot give a
collapse away.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MinibatchDeviation(nn.Module):
    """Appends one number to every row: how far the rows of this batch are spread, on
    average over the features.

    A generator that makes the same good sample every time fools a discriminator that
    sees one sample at a time. With this number among its inputs, the discriminator sees
    at once that real batches are spread wider.

    Each score now depends on the whole batch, so real and generated examples must come
    in batches of their own.

    Source: Karras et al. (2018), Progressive growing of GANs, section 3,
    https://arxiv.org/abs/1710.10196

    >>> MinibatchDeviation()(
    ...     torch.tensor([[0.0, 1.0], [2.0, 5.0]])
    ... )  # deviations 1 and 2, 1.5 on average
    tensor([[0.0000, 1.0000, 1.5000],
            [2.0000, 5.0000, 1.5000]])
    """

    def forward(
        self, features: Float[Tensor, "batch features"]
    ) -> Float[Tensor, "batch features_and_one"]:
        """Return the rows, each with the number appended."""
        # The root has no derivative at zero, where a fully collapsed batch is.
        deviation = (features.var(dim=0, correction=0) + 1e-8).sqrt().mean()
        return torch.cat([features, deviation.expand(len(features), 1)], dim=1)
