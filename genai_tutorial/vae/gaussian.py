"""The distributions of a VAE: independent Gaussians for the latent vector, and the
likelihoods of an image.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class LatentGaussian:
    """q(z | x): independent Gaussians, one per latent dimension.

    Attributes:
        log_variance: Logarithm of its variance. Any real number is valid, so a network
            can output it directly.

    Raises:
        ValueError: If the two have different shapes.
    """

    mean: Float[Tensor, "*shape"]
    log_variance: Float[Tensor, "*shape"]

    def __post_init__(self):
        if self.mean.shape != self.log_variance.shape:
            raise ValueError(
                "mean and log_variance must have the same shape, got "
                f"{tuple(self.mean.shape)} and {tuple(self.log_variance.shape)}"
            )

    def sample(self, generator: torch.Generator) -> Float[Tensor, "*shape"]:
        """Sample with the reparameterization trick: mean + standard deviation x noise.

        The noise does not depend on the parameters, so the sample has a gradient with
        respect to both of them.

        Source: Kingma and Welling, Auto-Encoding Variational Bayes, section 2.4,
        https://arxiv.org/abs/1312.6114
        """
        noise = torch.randn(
            self.mean.shape, generator=generator, device=generator.device
        ).to(self.mean)
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def log_prob(self, z: Float[Tensor, "*more"]) -> Float[Tensor, "*more"]:
        """Return the log-density of each dimension of z, in nats. Sum over the
        dimensions for the whole vector's.
        """
        distance = (z - self.mean).square() / self.log_variance.exp()
        return -0.5 * (math.log(2 * math.pi) + self.log_variance + distance)

    def kl_to_prior(self) -> Float[Tensor, "*shape"]:
        """Compute KL(q || N(0, 1)) of each latent dimension, in nats, in closed form.

        Source: Kingma and Welling, Auto-Encoding Variational Bayes, appendix B,
        https://arxiv.org/abs/1312.6114

        >>> LatentGaussian(torch.tensor([0.0, 2.0]), torch.zeros(2)).kl_to_prior()
        tensor([0., 2.])
        """
        zeros = torch.zeros_like(self.mean)
        return gaussian_kl(self, LatentGaussian(zeros, zeros))


def gaussian_kl(q: LatentGaussian, p: LatentGaussian) -> Float[Tensor, "*shape"]:
    """Compute KL(q || p) of each latent dimension, in nats: the expected extra cost of
    encoding samples from q with a code that is optimal for p.

    With means m, s and variances v, w of q and p it is (log w - log v + (v + (m - s)²)
    / w - 1) / 2.

    Source: Kullback and Leibler (1951), On information and sufficiency,
    https://doi.org/10.1214/aoms/1177729694

    >>> wide = LatentGaussian(torch.zeros(1), torch.tensor([4.0]).log())
    >>> narrow = LatentGaussian(torch.zeros(1), torch.zeros(1))
    >>> gaussian_kl(wide, narrow), gaussian_kl(narrow, wide)  # not symmetric
    (tensor([0.8069]), tensor([0.3181]))
    """
    variance_ratio = (q.log_variance - p.log_variance).exp()
    mean_distance = (q.mean - p.mean).square() / p.log_variance.exp()
    return 0.5 * (variance_ratio + mean_distance - 1 - q.log_variance + p.log_variance)


class BernoulliLikelihood(nn.Module):
    """Independent Bernoulli pixels: the decoder's output is the logit of a pixel being
    1.

    It is a probability for pixels of 0 and 1 only. For grey levels between them the
    same formula is not normalized, so a VAE that is trained with it on greyscale images
    does not bound a likelihood.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes, appendix C.1,
        https://arxiv.org/abs/1312.6114; Loaiza-Ganem and Cunningham, The continuous
        Bernoulli, https://arxiv.org/abs/1907.06845 (grey levels)

    >>> decoded, coins = torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])
    >>> BernoulliLikelihood().log_prob(decoded, coins).exp()  # two fair coins
    tensor([0.2500])
    """

    def log_prob(
        self, decoded: Float[Tensor, "n dim"], x: Float[Tensor, "n dim"]
    ) -> Float[Tensor, "n"]:
        """Sum over the pixels of log p(pixel | z), in nats."""
        return -nn.functional.binary_cross_entropy_with_logits(
            decoded, x, reduction="none"
        ).sum(dim=1)

    def mean(self, decoded: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """Return the probability that a pixel is 1."""
        return decoded.sigmoid()

    def sample(
        self, decoded: Float[Tensor, "n dim"], generator: torch.Generator
    ) -> Float[Tensor, "n dim"]:
        """Sample each pixel: 0 or 1."""
        return torch.bernoulli(
            decoded.sigmoid().to(generator.device), generator=generator
        ).to(decoded.device)


class GaussianLikelihood(nn.Module):
    """Independent Gaussian pixels: the decoder's output is the mean, and all pixels
    share one standard deviation.

    The standard deviation determines how much detail the latent vector has to carry, so
    it is learned by default.

    Args:
        scale: Initial standard deviation, above 0.

    Raises:
        ValueError: If `scale` is not above zero.

    Source: Rybkin, Daniilidis and Levine, Simple and Effective VAE Training with
        Calibrated Decoders, https://arxiv.org/abs/2006.13202

    >>> likelihood = GaussianLikelihood(scale=2.0, learned=False)
    >>> likelihood.log_prob(torch.zeros(1, 1), torch.tensor([[2.0]]))
    tensor([-2.1121])
    """

    def __init__(self, scale: float = 1.0, *, learned: bool = True):
        super().__init__()
        if not scale > 0:
            raise ValueError(
                f"scale is a standard deviation and must be above 0, got {scale}"
            )
        self.log_scale = nn.Parameter(
            torch.tensor(math.log(scale)), requires_grad=learned
        )

    def log_prob(
        self, decoded: Float[Tensor, "n dim"], x: Float[Tensor, "n dim"]
    ) -> Float[Tensor, "n"]:
        """Sum over the pixels of the log-density at x, in nats."""
        distance = (x - decoded).square() / (2 * self.log_scale).exp()
        return -0.5 * (math.log(2 * math.pi) + 2 * self.log_scale + distance).sum(dim=1)

    def mean(self, decoded: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """Return the decoder's output unchanged."""
        return decoded

    def sample(
        self, decoded: Float[Tensor, "n dim"], generator: torch.Generator
    ) -> Float[Tensor, "n dim"]:
        """Add Gaussian noise."""
        noise = torch.randn(
            decoded.shape, generator=generator, device=generator.device
        ).to(decoded)
        return decoded + self.log_scale.exp() * noise


Likelihood = BernoulliLikelihood | GaussianLikelihood
