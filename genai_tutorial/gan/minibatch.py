"""Minibatch standard deviation: a feature that shows the discriminator how varied a
batch is.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MinibatchDeviation(nn.Module):
    """Appends the standard deviation of the batch to each row, averaged over the
    features.

    A generator that repeats a single good sample fools a discriminator that sees one
    sample at a time. With this number as an input, the discriminator can see that real
    batches vary more.

    Each score then depends on the whole batch, so real and generated examples must be
    in separate batches.

    Source: Karras et al. (2018), Progressive growing of GANs, section 3,
    https://arxiv.org/abs/1710.10196

    >>> MinibatchDeviation()(
    ...     torch.tensor([[0.0, 1.0], [2.0, 5.0]])
    ... )  # deviations 1 and 2, 1.5 on average
    tensor([[0.0000, 1.0000, 1.5000],
            [2.0000, 5.0000, 1.5000]])
    """

    def forward(
        self, features: Float[Tensor, "*groups batch features"]
    ) -> Float[Tensor, "*groups batch features_and_one"]:
        """Return the rows with the number appended to each; batches in different groups
        are independent.
        """
        variance = features.var(dim=-2, correction=0, keepdim=True)
        # The square root has no derivative at zero, the variance of a collapsed batch.
        deviation = (variance + 1e-8).sqrt().mean(dim=-1, keepdim=True)
        return torch.cat([features, deviation.expand(*features.shape[:-1], 1)], dim=-1)
