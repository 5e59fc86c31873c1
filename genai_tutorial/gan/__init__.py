"""Generative adversarial networks: a generator and a discriminator, trained against
each other.

Read `losses` first, then `points`, the smallest networks. `optimal` contains the theory
that can be checked, `modes` counts the modes that a generator covers, and `minibatch`,
`penalties` and `spectral_norm` contain remedies. `digits` has networks for images, and
`side_by_side` trains several small networks at once. The training loop is
`training.adversarial`.
"""

from .digits import DigitDiscriminator, DigitGANConfig, DigitGenerator
from .losses import (
    NON_SATURATING,
    WASSERSTEIN,
    AdversarialLoss,
    FakeScores,
    RealScores,
    logistic_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    wasserstein_generator_loss,
)
from .minibatch import MinibatchDeviation
from .modes import ModeCount, count_modes, gaussian_ring
from .optimal import jensen_shannon_divergence, optimal_discriminator
from .penalties import Discriminator, gradient_penalty, r1_penalty, squared_slopes
from .points import BatchDiscriminator, PointDiscriminator, PointGenerator
from .side_by_side import PointNetwork, SideBySide
from .spectral_norm import Layer, SpectralNorm, power_iteration, spectral_norm
