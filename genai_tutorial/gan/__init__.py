"""Generative adversarial networks: a generator and a discriminator, trained against
each other.

Read `losses` first, then `points`, the smallest networks. `optimal` contains the theory
that can be checked, `modes` counts the modes that a generator covers, and `minibatch`,
`penalties` and `spectral_norm` contain remedies. `digits` has networks for images, and
`side_by_side` trains several small networks at once. The training loop is
`training.adversarial`.
"""

from genai_tutorial.gan.digits import DigitDiscriminator, DigitGANConfig, DigitGenerator
from genai_tutorial.gan.losses import (
    HINGE,
    MINIMAX,
    NON_SATURATING,
    WASSERSTEIN,
    AdversarialLoss,
    hinge_discriminator_loss,
    logistic_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from genai_tutorial.gan.minibatch import MinibatchDeviation
from genai_tutorial.gan.modes import ModeCount, count_modes, gaussian_ring
from genai_tutorial.gan.optimal import jensen_shannon_divergence, optimal_discriminator
from genai_tutorial.gan.penalties import gradient_penalty, r1_penalty, squared_slopes
from genai_tutorial.gan.points import (
    BatchDiscriminator,
    PointDiscriminator,
    PointGenerator,
    multilayer_perceptron,
)
from genai_tutorial.gan.side_by_side import SideBySide
from genai_tutorial.gan.spectral_norm import (
    SpectralNorm,
    normalize_all_layers,
    power_iteration,
    spectral_norm,
)

__all__ = [
    "HINGE",
    "MINIMAX",
    "NON_SATURATING",
    "WASSERSTEIN",
    "AdversarialLoss",
    "BatchDiscriminator",
    "DigitDiscriminator",
    "DigitGANConfig",
    "DigitGenerator",
    "MinibatchDeviation",
    "ModeCount",
    "PointDiscriminator",
    "PointGenerator",
    "SideBySide",
    "SpectralNorm",
    "count_modes",
    "gaussian_ring",
    "gradient_penalty",
    "hinge_discriminator_loss",
    "jensen_shannon_divergence",
    "logistic_discriminator_loss",
    "minimax_generator_loss",
    "multilayer_perceptron",
    "non_saturating_generator_loss",
    "normalize_all_layers",
    "optimal_discriminator",
    "power_iteration",
    "r1_penalty",
    "spectral_norm",
    "squared_slopes",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]
