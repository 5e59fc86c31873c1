"""The variational autoencoder: an encoder maps an image to a distribution of latent
vectors, and a decoder maps latent vectors to images.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .gaussian import LatentGaussian
from .likelihoods import Likelihood


@runtime_checkable
class LatentVariableModel(Protocol):
    """Protocol of models for which bounds on log p(x) can be computed; the prior is
    N(0, I).
    """

    def encode(self, x: Float[Tensor, "n dim"]) -> LatentGaussian:
        """Return q(z | x)."""
        ...

    def log_likelihood(
        self, x: Float[Tensor, "n dim"], z: Float[Tensor, "n latent"]
    ) -> Float[Tensor, "n"]:
        """Return log p(x | z) of each row, in nats."""
        ...


@dataclass(frozen=True)
class VAEConfig:
    """The sizes of a VAE.

    Attributes:
        dim: Number of pixels per image.
        hidden: Widths of the encoder's hidden layers; the decoder has the same in
            reverse. Without hidden layers both are linear, and the model is
            probabilistic PCA with a learned encoder.

    Raises:
        ValueError: If a size is below one.
    """

    dim: int
    latent: int
    hidden: tuple[int, ...] = (256,)

    def __post_init__(self):
        if min(self.dim, self.latent, *self.hidden) < 1:
            raise ValueError(
                f"dim, latent and each hidden width must be at least 1, got {self}"
            )


def multilayer_perceptron(sizes: tuple[int, ...]) -> nn.Sequential:
    """Build a network of linear layers with SiLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.SiLU()]
    return nn.Sequential(*layers[:-1])


class VAE(nn.Module):
    """A variational autoencoder on rows of pixels.

    Args:
        config: Sizes of the network.
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
