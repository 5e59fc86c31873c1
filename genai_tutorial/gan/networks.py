"""The networks of both players: for points on a line or in a plane, which train in
seconds, one at a time or side by side, and for images of digits with their labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


class MinibatchDeviation(nn.Module):
    """Appends the standard deviation of the batch to each row, averaged over the
    features: real batches vary more than the batches of a generator that repeats one
    good sample. Real and generated examples must therefore be in separate batches.

    Source: Karras et al. (2018), Progressive growing of GANs, section 3,
    https://arxiv.org/abs/1710.10196

    >>> rows = torch.tensor([[0.0, 1.0], [2.0, 5.0]])
    >>> MinibatchDeviation()(rows)  # deviations 1 and 2, 1.5 on average
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


def multilayer_perceptron(
    sizes: Sequence[int], generator: torch.Generator
) -> nn.Sequential:
    """Build a network of linear layers with ReLU between them.

    Source: He et al. (2015), Delving deep into rectifiers, equation 10, for the scale
        of the initial weights, https://arxiv.org/abs/1502.01852
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        linear = nn.Linear(inputs, outputs)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class PointGenerator(nn.Module):
    """Turns noise into points.

    Args:
        latent: Number of noise values per point.
        dim: Number of coordinates of a point.
        width: Width of the two hidden layers.

    >>> PointGenerator(latent=2)(torch.randn(5, 2)).shape
    torch.Size([5, 2])
    """

    def __init__(self, latent: int = 2, dim: int = 2, width: int = 64, seed: int = 0):
        super().__init__()
        self.latent = latent
        self.net = multilayer_perceptron(
            (latent, width, width, dim), torch.Generator().manual_seed(seed)
        )

    def forward(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch dim"]:
        """Return one point per row of noise."""
        return self.net(z)


class PointDiscriminator(nn.Module):
    """Scores points: high if a point looks real.

    >>> PointDiscriminator()(torch.randn(5, 2)).shape
    torch.Size([5])
    """

    def __init__(self, dim: int = 2, width: int = 64, seed: int = 0):
        super().__init__()
        self.net = multilayer_perceptron(
            (dim, width, width, 1), torch.Generator().manual_seed(seed)
        )

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch"]:
        """Return one score per point; its sigmoid is the probability of "real"."""
        return self.net(x).squeeze(1)


class BatchDiscriminator(nn.Module):
    """A discriminator of points with minibatch standard deviation as an extra input.

    >>> discriminator, points = BatchDiscriminator(), torch.eye(2)
    >>> bool(discriminator(points)[0] == discriminator(points[:1])[0])
    False
    """

    def __init__(self, dim: int = 2, width: int = 64, seed: int = 0):
        super().__init__()
        layers = multilayer_perceptron(
            (dim + 1, width, width, 1), torch.Generator().manual_seed(seed)
        )
        self.net = nn.Sequential(MinibatchDeviation(), *layers)

    def forward(self, x: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch"]:
        """Return one score per point of a batch that is all real or all generated."""
        return self.net(x).squeeze(1)


PointNetwork = PointGenerator | PointDiscriminator | BatchDiscriminator


class _StackedLinear(nn.Module):
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

    >>> pair = SideBySide([PointGenerator(seed=0), PointGenerator(seed=1)])
    >>> pair(torch.randn(5, pair.latent)).shape
    torch.Size([5, 2, 2])
    """

    def __init__(self, networks: Sequence[PointNetwork]):
        super().__init__()
        self.count = len(networks)
        self.net = nn.Sequential(
            *(
                _StackedLinear(layers)
                if isinstance(layers[0], nn.Linear)
                else layers[0]
                for layers in zip(*(network.net for network in networks), strict=True)
            )
        )
        self.latent = self.count * getattr(networks[0], "latent", 0)

    def forward(self, x: Float[Tensor, "batch *numbers"]) -> Float[Tensor, "*results"]:
        """Evaluate each network on its own part of each row.

        Args:
            x: Rows with the numbers for the first network, then those for the second,
                and so on; or split already, with the networks along the second axis, as
                the points that come out are. Discriminators' scores come in one row.
        """
        parts = x.view(len(x), self.count, -1).transpose(0, 1)
        results = self.net(parts).transpose(0, 1)
        return results if self.latent else results.flatten()


SIDE = 28
"""The height and width of an image, in pixels."""


@dataclass(frozen=True)
class DigitGANConfig:
    """The sizes of both players.

    Attributes:
        latent: Number of noise values per image.
        generator_widths: Widths of the generator's hidden layers.
    """

    latent: int = 32
    classes: int = 10
    generator_widths: Sequence[int] = (256, 512)
    discriminator_widths: Sequence[int] = (512, 256)

    def __post_init__(self):
        for name in ("generator_widths", "discriminator_widths"):
            # JSON stores them as a list
            object.__setattr__(self, name, tuple(getattr(self, name)))


class DigitGenerator(nn.Module):
    """Turns noise and a label into an image.

    >>> generator = DigitGenerator(DigitGANConfig())
    >>> generator(torch.randn(2, 32), torch.tensor([3, 8])).shape
    torch.Size([2, 28, 28])
    """

    def __init__(self, config: DigitGANConfig, seed: int = 0):
        super().__init__()
        self.config = config
        self.latent = config.latent
        weights = torch.Generator().manual_seed(seed)
        self.label = _label_embedding(config.classes, config.latent, 1.0, weights)
        self.net = multilayer_perceptron(
            (2 * config.latent, *config.generator_widths, SIDE * SIDE), weights
        )
        # The first images are nearly uniform grey: large random initial weights of the
        # pixels would remain visible as speckle.
        nn.init.normal_(self.net[-1].weight, std=0.01, generator=weights)

    def forward(
        self, z: Float[Tensor, "batch latent"], labels: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch 28 28"]:
        """Return one image per row of noise, with brightness from 0 to 1."""
        pixels = self.net(torch.cat([z, self.label(labels)], dim=1))
        return torch.sigmoid(pixels).view(-1, SIDE, SIDE)


class DigitDiscriminator(nn.Module):
    """Scores images: high if an image looks real and shows its label.

    The score is the sum of two parts, like log p(image) + log p(label | image): a
    linear function of the image's features, and their dot product with the embedding of
    the label.

    Source: Miyato and Koyama (2018), cGANs with projection discriminator, equation 4,
    https://arxiv.org/abs/1802.05637

    >>> discriminator = DigitDiscriminator(DigitGANConfig())
    >>> discriminator(torch.zeros(2, 28, 28), torch.tensor([3, 8])).shape
    torch.Size([2])
    """

    def __init__(self, config: DigitGANConfig, seed: int = 0):
        super().__init__()
        width = config.discriminator_widths[-1]
        weights = torch.Generator().manual_seed(seed)
        self.features = multilayer_perceptron(
            (SIDE * SIDE, *config.discriminator_widths), weights
        )
        self.score = multilayer_perceptron((width, 1), weights)
        self.label = _label_embedding(config.classes, width, 0.05, weights)

    def forward(
        self, images: Float[Tensor, "batch 28 28"], labels: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch"]:
        """Return one score per image."""
        pixels = 2 * images.flatten(1) - 1
        features = functional.leaky_relu(self.features(pixels), 0.2)
        match = (features * self.label(labels)).sum(dim=1)
        return self.score(features).squeeze(1) + match


def _label_embedding(
    classes: int, width: int, deviation: float, generator: torch.Generator
) -> nn.Embedding:
    table = nn.Embedding(classes, width)
    nn.init.normal_(table.weight, std=deviation, generator=generator)
    return table
