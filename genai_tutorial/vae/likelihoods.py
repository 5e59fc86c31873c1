"""The likelihood p(x | z): turns the decoder's outputs into a distribution of pixels.

A decoder outputs one number per pixel. The distribution is Bernoulli for black and
white pixels and Gaussian for grey levels.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class BernoulliLikelihood(nn.Module):
    """Independent Bernoulli pixels: the decoder's output is the logit of a pixel being
    1.

    It is a probability for pixels of 0 and 1 only. For grey levels between them the
    same formula is not normalized, so a VAE that is trained with it on greyscale images
    does not bound a likelihood.

    Source: Kingma and Welling, Auto-Encoding Variational Bayes, appendix C.1,
        https://arxiv.org/abs/1312.6114; Loaiza-Ganem and Cunningham, The continuous
        Bernoulli, https://arxiv.org/abs/1907.06845 (grey levels)

    >>> BernoulliLikelihood().log_prob(
    ...     torch.zeros(1, 2), torch.tensor([[0.0, 1.0]])
    ... ).exp()  # two fair coins
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

    >>> round(
    ...     GaussianLikelihood(scale=2.0)
    ...     .log_prob(torch.zeros(1, 1), torch.tensor([[2.0]]))
    ...     .item(),
    ...     3,
    ... )
    -2.112
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
"""The distributions of pixels that a VAE supports."""
