"""The variational autoencoder: its convolutional or fully connected encoder and
decoder, and the latent dimensions that it uses.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .gaussian import LatentGaussian, Likelihood


class ResidualBlock(nn.Module):
    """Two convolutions with a residual connection; size and channels do not change.

    Source: He, Zhang, Ren and Sun, Identity Mappings in Deep Residual Networks,
        https://arxiv.org/abs/1603.05027
    """

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(_groups(channels), channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.GroupNorm(_groups(channels), channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )

    def forward(
        self, x: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n channels height width"]:
        """Add the output of the convolutions to the input."""
        return x + self.layers(x)


class ConvEncoder(nn.Module):
    """Maps images to a grid of features, with half the height and width at each
    stage.
    """

    def __init__(self, channels: int, features: int, width: int, stages: int):
        super().__init__()
        widths = _widths(width, stages)
        layers: list[nn.Module] = []
        for in_channels, out_channels in zip((channels, *widths), widths, strict=False):
            layers += [
                nn.Conv2d(
                    in_channels, out_channels, kernel_size=4, stride=2, padding=1
                ),
                ResidualBlock(out_channels),
            ]
        self.layers = nn.Sequential(
            *layers,
            nn.GroupNorm(_groups(widths[-1]), widths[-1]),
            nn.SiLU(),
            nn.Conv2d(widths[-1], features, 1),
        )

    def forward(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n features rows columns"]:
        """Return the grid of features."""
        factor = 2 ** sum(isinstance(layer, ResidualBlock) for layer in self.layers)
        if images.shape[2] % factor or images.shape[3] % factor:
            raise ValueError(
                f"height and width must be multiples of {factor}, got "
                f"{images.shape[2]} and {images.shape[3]}"
            )
        return self.layers(images)


class ConvDecoder(nn.Module):
    """Maps a grid of features to images; the mirror image of `ConvEncoder`, with the
    same arguments.
    """

    def __init__(self, channels: int, features: int, width: int, stages: int):
        super().__init__()
        widths = _widths(width, stages)[::-1]
        layers: list[nn.Module] = [nn.Conv2d(features, widths[0], kernel_size=1)]
        for in_channels, out_channels in zip(
            widths, (*widths[1:], channels), strict=True
        ):
            layers += [
                ResidualBlock(in_channels),
                nn.GroupNorm(_groups(in_channels), in_channels),
                nn.SiLU(),
                nn.ConvTranspose2d(
                    in_channels, out_channels, kernel_size=4, stride=2, padding=1
                ),
            ]
        self.layers = nn.Sequential(*layers)

    def forward(
        self, grid: Float[Tensor, "n features rows columns"]
    ) -> Float[Tensor, "n channels height width"]:
        """Return one number per channel and pixel; the range is not limited."""
        return self.layers(grid)


def _widths(width: int, stages: int) -> tuple[int, ...]:
    return tuple(width * 2**stage for stage in range(stages))


def _groups(channels: int) -> int:
    """Return the largest number of groups, up to 8, that divides the channels."""
    return next(
        groups for groups in range(min(8, channels), 0, -1) if channels % groups == 0
    )


@runtime_checkable
class LatentVariableModel(Protocol):
    """Protocol of models for which bounds on log p(x) can be computed; the prior is
    N(0, I).
    """

    def encode(self, x: Float[Tensor, "n dim"]) -> LatentGaussian:
        """Return q(z | x)."""

    def log_likelihood(
        self, x: Float[Tensor, "n dim"], z: Float[Tensor, "n latent"]
    ) -> Float[Tensor, "n"]:
        """Return log p(x | z) of each row, in nats."""


@dataclass(frozen=True)
class VAEConfig:
    """The sizes of a VAE.

    Attributes:
        dim: Number of pixels per image.
        hidden: Widths of the encoder's hidden layers; the decoder has the same in
            reverse. Without hidden layers both are linear, and the model is
            probabilistic PCA with a learned encoder.
    """

    dim: int
    latent: int
    hidden: tuple[int, ...] = (256,)


def multilayer_perceptron(sizes: tuple[int, ...]) -> nn.Sequential:
    """Build a network of linear layers with SiLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


class VAE(nn.Module):
    """A variational autoencoder on rows of pixels.

    Args:
        likelihood: `BernoulliLikelihood()` for black and white pixels,
            `GaussianLikelihood()` for grey levels.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes,
        https://arxiv.org/abs/1312.6114; Rezende, Mohamed and Wierstra, Stochastic
        Backpropagation, https://arxiv.org/abs/1401.4082

    >>> from genai_tutorial.vae import BernoulliLikelihood
    >>> vae = VAE(VAEConfig(dim=784, latent=2), BernoulliLikelihood())
    >>> vae.sample(3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 784])
    """

    def __init__(self, config: VAEConfig, likelihood: Likelihood):
        super().__init__()
        self.config, self.likelihood = config, likelihood
        self.encoder = multilayer_perceptron(
            (config.dim, *config.hidden, 2 * config.latent)
        )
        self.decoder = multilayer_perceptron(
            (config.latent, *reversed(config.hidden), config.dim)
        )

    def encode(self, x: Float[Tensor, "n dim"]) -> LatentGaussian:
        """Return q(z | x), a mean and a log-variance per row and latent dimension."""
        if x.ndim != 2 or x.shape[1] != self.config.dim:
            raise ValueError(
                f"this VAE takes rows of {self.config.dim} pixels, got shape "
                f"{tuple(x.shape)}; images need .flatten(1)"
            )
        return LatentGaussian(*self.encoder(x).chunk(2, dim=1))

    def decode(self, z: Float[Tensor, "n latent"]) -> Float[Tensor, "n dim"]:
        """Return the expected image of each latent vector."""
        if z.ndim != 2 or z.shape[1] != self.config.latent:
            raise ValueError(
                f"a latent vector of this VAE has {self.config.latent} numbers, got "
                f"shape {tuple(z.shape)}"
            )
        return self.likelihood.mean(self.decoder(z))

    def log_likelihood(
        self, x: Float[Tensor, "n dim"], z: Float[Tensor, "n latent"]
    ) -> Float[Tensor, "n"]:
        """Return log p(x | z) of each row, in nats."""
        return self.likelihood.log_prob(self.decoder(z), x)

    @torch.no_grad()
    def sample(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "count dim"]:
        """Sample latent vectors from the prior and return the expected image of each.

        This is the mean of p(x | z), which papers usually show; `likelihood.sample`
        adds the pixel noise.
        """
        device = next(self.parameters()).device
        z = torch.randn(
            count, self.config.latent, generator=generator, device=generator.device
        )
        return self.decode(z.to(device))


LEAST_VARIANCE = 0.01
"""The smallest variance of an active dimension's means: far from both used dimensions
(near 1, the prior's) and unused ones (near 0).
"""


def active_units(means: Float[Tensor, "n latent"]) -> Bool[Tensor, "latent"]:
    """Find the active latent dimensions, whose mean differs from image to image.

    Args:
        means: Mean of q(z | x) for many images, one per row.

    Raises:
        ValueError: If there are fewer than two images.

    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, section
        5.2, https://arxiv.org/abs/1509.00519

    >>> active_units(torch.tensor([[1.0, 0.01], [-1.0, -0.01]])).tolist()
    [True, False]
    """
    if len(means) < 2:
        raise ValueError(f"a variance needs at least 2 images, got {len(means)}")
    return means.var(dim=0) > LEAST_VARIANCE
