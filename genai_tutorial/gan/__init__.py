"""Generative adversarial networks: a generator and a discriminator, trained against
each other. Read `losses` first, then `networks`; the training loop is in `training`.
"""

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
from .modes import ModeCount, count_modes, gaussian_ring
from .networks import (
    BatchDiscriminator,
    DigitDiscriminator,
    DigitGANConfig,
    DigitGenerator,
    PointDiscriminator,
    PointGenerator,
    PointNetwork,
    SideBySide,
)
from .regularization import (
    Discriminator,
    Layer,
    SpectralNorm,
    gradient_penalty,
    power_iteration,
    r1_penalty,
    spectral_norm,
    squared_slopes,
)
