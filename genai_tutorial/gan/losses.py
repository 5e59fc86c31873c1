"""The game's stakes: what the discriminator wants to lower, and what the generator
wants to lower.

A discriminator answers with a score, any real number: high for real, low for fake. The
sigmoid of the score is its probability that the example is real. A critic, in the
Wasserstein game, is a discriminator whose score is not meant as a probability at all.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

RealScores = Float[Tensor, "real"]
FakeScores = Float[Tensor, "fake"]


def logistic_discriminator_loss(
    real: RealScores, fake: FakeScores
) -> Float[Tensor, ""]:
    """-E[log D(x)] - E[log(1 - D(G(z)))], where D is the sigmoid of the score:
    cross-entropy of "is this real?".

    Lowering it raises the value V of the minimax game, which is its negative. A
    discriminator that knows nothing has a loss of log 4.

    Args:
        real: Scores of real examples.
        fake: Scores of generated examples.

    Source: Goodfellow et al. (2014), Generative adversarial nets, equation 1,
    https://arxiv.org/abs/1406.2661

    >>> import torch
    >>> round(
    ...     logistic_discriminator_loss(torch.zeros(4), torch.zeros(4)).item(), 4
    ... )  # log 4
    1.3863
    """
    # softplus(-s) = -log sigmoid(s), without ever taking the logarithm of zero.
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def minimax_generator_loss(fake: FakeScores) -> Float[Tensor, ""]:
    """E[log(1 - D(G(z)))]: the generator lowers just what the discriminator raises.

    Its slope in the score is -D(G(z)), which vanishes where the discriminator is sure
    of a fake.

    Source: Goodfellow et al. (2014), equation 1, https://arxiv.org/abs/1406.2661
    """
    return -functional.softplus(fake).mean()


def non_saturating_generator_loss(fake: FakeScores) -> Float[Tensor, ""]:
    """-E[log D(G(z))]: the generator raises the probability that its examples are
    called real.

    Its slope in the score is -(1 - D(G(z))), which is close to -1 where the
    discriminator is sure of a fake.

    Source: Goodfellow et al. (2014), end of section 3, https://arxiv.org/abs/1406.2661
    """
    return functional.softplus(-fake).mean()


def wasserstein_critic_loss(real: RealScores, fake: FakeScores) -> Float[Tensor, ""]:
    """E[f(G(z))] - E[f(x)]: the negative of the critic's estimate of the Wasserstein
    distance.

    It is an estimate only if the critic's slope is at most one everywhere: add a
    gradient penalty or use spectral normalization.

    Source: Arjovsky, Chintala and Bottou (2017), Wasserstein GAN, equation 2,
    https://arxiv.org/abs/1701.07875
    """
    return fake.mean() - real.mean()


def wasserstein_generator_loss(fake: FakeScores) -> Float[Tensor, ""]:
    """-E[f(G(z))]: the generator raises the score of its examples, without limit. The
    hinge game uses it too.

    Source: Arjovsky, Chintala and Bottou (2017), equation 3,
    https://arxiv.org/abs/1701.07875
    """
    return -fake.mean()


def hinge_discriminator_loss(real: RealScores, fake: FakeScores) -> Float[Tensor, ""]:
    """E[max(0, 1 - f(x))] + E[max(0, 1 + f(G(z)))]: only examples short of the margin
    of one still count.

    Source: Lim and Ye (2017), Geometric GAN, equation 14,
    https://arxiv.org/abs/1705.02894

    >>> import torch
    >>> hinge_discriminator_loss(
    ...     torch.tensor([3.0, 0.5]), torch.tensor([-3.0, 0.0])
    ... ).item()
    0.75
    """
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


@dataclass(frozen=True)
class AdversarialLoss:
    """The two losses of one game.

    Attributes:
        discriminator: Of the scores of real and of generated examples.
        generator: Of the scores of generated examples.
    """

    discriminator: Callable[[RealScores, FakeScores], Float[Tensor, ""]]
    generator: Callable[[FakeScores], Float[Tensor, ""]]


MINIMAX = AdversarialLoss(logistic_discriminator_loss, minimax_generator_loss)
"""The game as it was first written down: one value, which one player lowers and the
other raises.
"""

NON_SATURATING = AdversarialLoss(
    logistic_discriminator_loss, non_saturating_generator_loss
)
"""The game as it was first played, and still is: StyleGAN uses it."""

WASSERSTEIN = AdversarialLoss(wasserstein_critic_loss, wasserstein_generator_loss)
"""The game of the critic, for a discriminator of limited slope."""

HINGE = AdversarialLoss(hinge_discriminator_loss, wasserstein_generator_loss)
"""The game of the margin, with which BigGAN is trained."""
