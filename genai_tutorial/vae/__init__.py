"""Variational autoencoders: encode images as latent vectors whose distribution can be
sampled. Read `gaussian` and `model`, then `bounds`, the objectives that train and
evaluate them.
"""

from .bounds import (
    Bound,
    evidence_lower_bound,
    importance_weighted_bound,
    log_importance_weights,
    vae_loss,
)
from .gaussian import (
    BernoulliLikelihood,
    GaussianLikelihood,
    LatentGaussian,
    Likelihood,
    gaussian_kl,
)
from .image_autoencoder import (
    VQVAE,
    ImageAutoencoder,
    ImageAutoencoderConfig,
    encode_images,
    image_autoencoder_loss,
    reconstruct_images,
    vq_vae_loss,
)
from .model import VAE, LatentVariableModel, VAEConfig, active_units
from .quantizer import (
    CodebookUsage,
    EMAVectorQuantizer,
    Quantized,
    VectorQuantizer,
    codebook_usage,
    k_means,
    nearest_codes,
    random_codebook,
    straight_through,
)
from .residual_quantizer import (
    ResidualQuantized,
    ResidualVectorQuantizer,
    bits_per_second,
)
