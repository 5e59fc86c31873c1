"""Variational autoencoders: encode images as latent vectors whose distribution can be
sampled.

Read `gaussian` (the distribution of a latent vector), `likelihoods` and `model`, then
`bounds`, the objectives that train and evaluate them. `collapse` detects unused latent
dimensions. `codebook`, `quantizer` and `vq_vae` are about discrete codes,
`k_means` and `residual_quantizer` about several codes per vector, and
`image_autoencoder` is the autoencoder for latent diffusion.
"""

from genai_tutorial.vae.bounds import (
    Bound,
    evidence_lower_bound,
    importance_weighted_bound,
    log_importance_weights,
    vae_loss,
)
from genai_tutorial.vae.codebook import (
    CodebookUsage,
    codebook_usage,
    nearest_codes,
    straight_through,
)
from genai_tutorial.vae.collapse import active_units
from genai_tutorial.vae.convolutional import ConvDecoder, ConvEncoder
from genai_tutorial.vae.gaussian import LatentGaussian, gaussian_kl
from genai_tutorial.vae.image_autoencoder import (
    ImageAutoencoder,
    ImageAutoencoderConfig,
    encode_images,
    image_autoencoder_loss,
    reconstruct_images,
)
from genai_tutorial.vae.k_means import k_means, random_codebook
from genai_tutorial.vae.likelihoods import (
    BernoulliLikelihood,
    GaussianLikelihood,
    Likelihood,
)
from genai_tutorial.vae.model import VAE, LatentVariableModel, VAEConfig
from genai_tutorial.vae.quantizer import EMAVectorQuantizer, Quantized, VectorQuantizer
from genai_tutorial.vae.residual_quantizer import (
    ResidualQuantized,
    ResidualVectorQuantizer,
    bits_per_second,
)
from genai_tutorial.vae.vq_vae import VQVAE, VQVAEConfig, vq_vae_loss

__all__ = [
    "VAE",
    "VQVAE",
    "BernoulliLikelihood",
    "Bound",
    "CodebookUsage",
    "ConvDecoder",
    "ConvEncoder",
    "EMAVectorQuantizer",
    "GaussianLikelihood",
    "ImageAutoencoder",
    "ImageAutoencoderConfig",
    "LatentGaussian",
    "LatentVariableModel",
    "Likelihood",
    "Quantized",
    "ResidualQuantized",
    "ResidualVectorQuantizer",
    "VAEConfig",
    "VQVAEConfig",
    "VectorQuantizer",
    "active_units",
    "bits_per_second",
    "codebook_usage",
    "encode_images",
    "evidence_lower_bound",
    "gaussian_kl",
    "image_autoencoder_loss",
    "importance_weighted_bound",
    "k_means",
    "log_importance_weights",
    "nearest_codes",
    "random_codebook",
    "reconstruct_images",
    "straight_through",
    "vae_loss",
    "vq_vae_loss",
]
