"""Conditional GAN for digits of 28 by 28 pixels: both players receive the label."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .points import multilayer_perceptron

SIDE = 28
"""The height and width of an image, in pixels."""


@dataclass(frozen=True)
class DigitGANConfig:
    """The sizes of both players.

    Attributes:
        latent: Number of noise values per image.
        generator_widths: Widths of the generator's hidden layers.
        discriminator_widths: Widths of the discriminator's hidden layers.
    """

    latent: int = 32
    classes: int = 10
    generator_widths: Sequence[int] = (256, 512)
    discriminator_widths: Sequence[int] = (512, 256)

    def __post_init__(self):
        if self.latent < 1 or self.classes < 1:
            raise ValueError(
                f"latent and classes must be at least 1, got {self.latent} and "
                f"{self.classes}."
            )
        for name in ("generator_widths", "discriminator_widths"):
            widths = getattr(self, name)
            if len(widths) < 1 or min(widths) < 1:
                raise ValueError(
                    f"{name} must be whole numbers above 0, at least one, got {widths}."
                )
            # JSON stores them as a list
            object.__setattr__(self, name, tuple(widths))


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
        self.label = label_embedding(config.classes, config.latent, 1.0, weights)
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
        self.label = label_embedding(config.classes, width, 0.05, weights)

    def forward(
        self, images: Float[Tensor, "batch 28 28"], labels: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch"]:
        """Return one score per image."""
        pixels = 2 * images.flatten(1) - 1
        features = functional.leaky_relu(self.features(pixels), 0.2)
        return self.score(features).squeeze(1) + (features * self.label(labels)).sum(
            dim=1
        )


def label_embedding(
    classes: int, width: int, deviation: float, generator: torch.Generator
) -> nn.Embedding:
    """Return an embedding of the labels, initialized from a normal distribution."""
    table = nn.Embedding(classes, width)
    nn.init.normal_(table.weight, std=deviation, generator=generator)
    return table
