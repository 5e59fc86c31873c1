"""Loss functions of the discriminator and the generator.

A discriminator outputs a score, any real number: high for real, low for generated
examples. The sigmoid of the score is the probability that the example is real. A critic
is the discriminator of a Wasserstein GAN; its score is not the logit of a probability.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

RealScores = Float[Tensor, "real"]
"""Scores of real examples."""

FakeScores = Float[Tensor, "fake"]
"""Scores of generated examples; there may be more or fewer of them."""


def logistic_discriminator_loss(
    real: RealScores, fake: FakeScores
) -> Float[Tensor, ""]:
    """Cross-entropy of real against generated: -E[log D(x)] - E[log(1 - D(G(z)))],
    where D is the sigmoid of the score.

    It is the negative of the value V of the minimax game. A discriminator that always
    outputs 1/2 has a loss of log 4.

    Source: Goodfellow et al. (2014), Generative adversarial nets, equation 1,
    https://arxiv.org/abs/1406.2661

    >>> import torch
    >>> round(
    ...     logistic_discriminator_loss(torch.zeros(4), torch.zeros(4)).item(), 4
    ... )  # log 4
    1.3863
    """
    # softplus(-s) = -log sigmoid(s), but never takes the logarithm of zero.
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def minimax_generator_loss(fake: FakeScores) -> Float[Tensor, ""]:
    """E[log(1 - D(G(z)))]: the generator minimizes what the discriminator maximizes.

    Its derivative with respect to the score is -D(G(z)), which vanishes where the
    discriminator is confident that an example is generated.

    Source: Goodfellow et al. (2014), equation 1, https://arxiv.org/abs/1406.2661
    """
    return -functional.softplus(fake).mean()


def non_saturating_generator_loss(fake: FakeScores) -> Float[Tensor, ""]:
    """-E[log D(G(z))]: the generator maximizes the log-probability of "real".

    Its derivative with respect to the score is -(1 - D(G(z))), which is close to -1
    where the discriminator is confident that an example is generated.

    Source: Goodfellow et al. (2014), end of section 3, https://arxiv.org/abs/1406.2661
    """
    return functional.softplus(-fake).mean()


def wasserstein_critic_loss(real: RealScores, fake: FakeScores) -> Float[Tensor, ""]:
    """E[f(G(z))] - E[f(x)]: the negative of the critic's estimate of the Wasserstein
    distance.

    Source: Arjovsky, Chintala and Bottou (2017), Wasserstein GAN, equation 2,
        https://arxiv.org/abs/1701.07875
    """
    return fake.mean() - real.mean()


def wasserstein_generator_loss(fake: FakeScores) -> Float[Tensor, ""]:
    """-E[f(G(z))]: the generator maximizes the score of its examples. The hinge loss
    uses it, too.

    Source: Arjovsky, Chintala and Bottou (2017), equation 3,
    https://arxiv.org/abs/1701.07875
    """
    return -fake.mean()


@dataclass(frozen=True)
class AdversarialLoss:
    """A pair of loss functions, one for each player.

    Attributes:
        discriminator: Function of the scores of real and of generated examples.
        generator: Function of the scores of generated examples.
    """

    discriminator: Callable[[RealScores, FakeScores], Float[Tensor, ""]]
    generator: Callable[[FakeScores], Float[Tensor, ""]]


NON_SATURATING = AdversarialLoss(
    logistic_discriminator_loss, non_saturating_generator_loss
)
"""The losses used in the original experiments, and by StyleGAN."""

WASSERSTEIN = AdversarialLoss(wasserstein_critic_loss, wasserstein_generator_loss)
"""The losses of the Wasserstein GAN, for a critic of limited slope."""
