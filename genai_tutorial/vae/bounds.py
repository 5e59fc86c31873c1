"""Lower bounds on log p(x): the evidence lower bound, which is the training objective,
and the importance-weighted bound, which averages over many latent vectors.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .gaussian import LatentGaussian
from .model import LatentVariableModel


@dataclass(frozen=True)
class Bound:
    """The two terms of the evidence lower bound of each row, in nats.

    Attributes:
        reconstruction: log p(x | z) for one sample z from q(z | x), an estimate of its
            expected value.
        divergence: KL(q(z | x) || prior) of each latent dimension, exact.
    """

    reconstruction: Float[Tensor, "n"]
    divergence: Float[Tensor, "n latent"]

    @property
    def elbo(self) -> Float[Tensor, "n"]:
        """Reconstruction minus divergence: at most log p(x), in expectation."""
        return self.reconstruction - self.divergence.sum(dim=1)


def evidence_lower_bound(
    model: LatentVariableModel, x: Float[Tensor, "n dim"], generator: torch.Generator
) -> Bound:
    """Estimate the evidence lower bound of each row with one sample from q(z | x).

    ELBO = E_q[log p(x | z)] - KL(q(z | x) || p(z)) = log p(x) - KL(q(z | x) || p(z |
    x)).

    Source: Kingma and Welling, Auto-Encoding Variational Bayes, equation 7,
    https://arxiv.org/abs/1312.6114
    """
    q = model.encode(x)
    return Bound(model.log_likelihood(x, q.sample(generator)), q.kl_to_prior())


def vae_loss(
    bound: Bound, *, beta: float = 1.0, free_nats: float = 0.0
) -> Float[Tensor, ""]:
    """Return the loss of a VAE, the mean of -reconstruction + beta x divergence.

    Args:
        beta: Weight of the divergence. With 1, the loss is the negative evidence lower
            bound.
        free_nats: Divergence per latent dimension, averaged over the batch, that is not
            penalized.

    Raises:
        ValueError: If one of them is negative.

    Source: Higgins et al. (2017), beta-VAE, https://openreview.net/forum?id=Sy2fzU9gl;
        Kingma et al., Improved Variational Inference with Inverse Autoregressive Flow,
        equation 15 (free bits), https://arxiv.org/abs/1606.04934

    >>> bound = Bound(torch.tensor([-100.0]), torch.tensor([[4.0, 0.1]]))
    >>> round(vae_loss(bound).item(), 2), round(vae_loss(bound, beta=2.0).item(), 2)
    (104.1, 108.2)
    """
    if beta < 0 or free_nats < 0:
        raise ValueError(
            f"beta and free_nats must not be negative, got {beta=}, {free_nats=}"
        )
    divergence = bound.divergence.mean(dim=0).clamp(min=free_nats).sum()
    return beta * divergence - bound.reconstruction.mean()


def log_importance_weights(
    model: LatentVariableModel,
    x: Float[Tensor, "n dim"],
    count: int,
    generator: torch.Generator,
) -> Float[Tensor, "count n"]:
    """Sample `count` latent vectors from q(z | x) for each row, and return log p(x, z)
    - log q(z | x) of each.

    The expected value of the weights themselves is p(x), for any q with full support:
    this is importance sampling.

    Raises:
        ValueError: If `count` is below one.
    """
    if count < 1:
        raise ValueError(
            "count is the number of latent vectors per image and must be at least 1, "
            f"got {count}"
        )
    q = model.encode(x)
    repeated = LatentGaussian(q.mean.repeat(count, 1), q.log_variance.repeat(count, 1))
    z = repeated.sample(generator)
    prior = LatentGaussian(torch.zeros_like(z), torch.zeros_like(z))
    log_ratio = (prior.log_prob(z) - repeated.log_prob(z)).sum(dim=1)
    return (model.log_likelihood(x.repeat(count, 1), z) + log_ratio).view(count, len(x))


DECODED_AT_ONCE = 20_000  # latent vectors, to limit memory


def importance_weighted_bound(
    model: LatentVariableModel,
    x: Float[Tensor, "n dim"],
    count: int,
    generator: torch.Generator,
) -> Float[Tensor, "n"]:
    """Return the importance-weighted lower bound on log p(x) of each row, in nats: the
    log of the mean of `count` importance weights.

    With one sample it is the evidence lower bound. More samples never make it looser in
    expectation, and in the limit it is log p(x).

    Raises:
        ValueError: If `count` is below one.

    Source: Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, equation
        8 and theorem 1, https://arxiv.org/abs/1509.00519
    """
    rows = max(1, DECODED_AT_ONCE // max(count, 1))
    log_weight_sums = [
        log_importance_weights(model, batch, count, generator).logsumexp(dim=0)
        for batch in x.split(rows)
    ]
    return torch.cat(log_weight_sums) - math.log(count)
