"""Train several small networks as one: the same experiment with several seeds, for a
fraction of the time.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .points import BatchDiscriminator, PointDiscriminator, PointGenerator

PointNetwork = PointGenerator | PointDiscriminator | BatchDiscriminator


class StackedLinear(nn.Module):
    """Several linear layers of the same size, as one batched matrix product."""

    def __init__(self, layers: Sequence[nn.Linear]):
        super().__init__()
        stacked = torch.stack([layer.weight.detach() for layer in layers])
        self.weight = nn.Parameter(stacked)
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(
        self, x: Float[Tensor, "networks batch inputs"]
    ) -> Float[Tensor, "networks batch outputs"]:
        """Apply each layer to its own part of the input."""
        return torch.baddbmm(self.bias[:, None], x, self.weight.mT)


class SideBySide(nn.Module):
    """Networks of the same kind, evaluated in one call, each on its own examples.

    No weights are shared and nothing passes from one network to another: trained on the
    mean of their losses, each learns as it would alone.

    Args:
        networks: Networks that differ only in their weights, which are copied.

    Raises:
        ValueError: If there are no networks.

    >>> pair = SideBySide([PointGenerator(seed=0), PointGenerator(seed=1)])
    >>> pair(torch.randn(5, pair.latent)).shape
    torch.Size([5, 2, 2])
    """

    def __init__(self, networks: Sequence[PointNetwork]):
        super().__init__()
        if not networks:
            raise ValueError("There must be at least one network, got none.")
        self.count = len(networks)
        self.net = nn.Sequential(
            *(
                StackedLinear(layers) if isinstance(layers[0], nn.Linear) else layers[0]
                for layers in zip(*(network.net for network in networks), strict=True)
            )
        )
        self.latent = self.count * getattr(networks[0], "latent", 0)

    def forward(self, x: Float[Tensor, "batch *numbers"]) -> Float[Tensor, "*results"]:
        """Evaluate each network on its own part of each row.

        Args:
            x: Rows with the numbers for the first network, then those for the second,
                and so on; or split already, with the networks along the second axis.

        Returns:
            Points, with the networks along the second axis; for discriminators, the
            scores of all networks in one row.
        """
        parts = x.view(len(x), self.count, -1).transpose(0, 1)
        results = self.net(parts).transpose(0, 1)
        return results if self.latent else results.flatten()
