"""Variational autoencoders: encode images as latent vectors whose distribution can be
sampled.

Read `gaussian` (the distribution of a latent vector), `likelihoods` and `model`, then
`bounds`, the objectives that train and evaluate them. `collapse` detects unused latent
dimensions. `codebook`, `quantizer` and `vq_vae` are about discrete codes,
`k_means` and `residual_quantizer` about several codes per vector, and
`image_autoencoder` is the autoencoder for latent diffusion.
"""

from .bounds import (
    Bound,
    evidence_lower_bound,
    importance_weighted_bound,
    log_importance_weights,
    vae_loss,
)
from .codebook import CodebookUsage, codebook_usage, nearest_codes, straight_through
from .collapse import active_units
from .gaussian import LatentGaussian, gaussian_kl
from .image_autoencoder import (
    ImageAutoencoder,
    ImageAutoencoderConfig,
    encode_images,
    image_autoencoder_loss,
    reconstruct_images,
)
from .k_means import k_means, random_codebook
from .likelihoods import BernoulliLikelihood, GaussianLikelihood, Likelihood
from .model import VAE, LatentVariableModel, VAEConfig
from .quantizer import EMAVectorQuantizer, Quantized, VectorQuantizer
from .residual_quantizer import (
    ResidualQuantized,
    ResidualVectorQuantizer,
    bits_per_second,
)
from .vq_vae import VQVAE, VQVAEConfig, vq_vae_loss
