"""Autoencoders of images: the VQ-VAE, which encodes an image as a small grid of
codebook indices, and the autoencoder for latent diffusion.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .gaussian import LatentGaussian
from .model import ConvDecoder, ConvEncoder
from .quantizer import EMAVectorQuantizer, Quantized, VectorQuantizer


class VQVAE(nn.Module):
    """A vector-quantized autoencoder of greyscale images with values from 0 to 1, whose
    grid of codes has a quarter of their height and width.

    Args:
        width: Channels after the encoder's first stage.

    Source: van den Oord, Vinyals and Kavukcuoglu, Neural Discrete Representation
        Learning, https://arxiv.org/abs/1711.00937

    >>> model = VQVAE(VectorQuantizer(codes=64, dim=8))
    >>> model.encode(torch.zeros(2, 1, 28, 28)).indices.shape
    torch.Size([2, 7, 7])
    """

    def __init__(
        self, quantizer: VectorQuantizer | EMAVectorQuantizer, width: int = 16
    ):
        super().__init__()
        sizes = 1, quantizer.codebook.shape[1], width, 2
        self.encoder = ConvEncoder(*sizes)
        self.quantizer = quantizer
        self.decoder = ConvDecoder(*sizes)

    def features(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n rows columns dim"]:
        """Return the encoder's vectors before quantization."""
        return self.encoder(images).movedim(1, -1)

    def encode(self, images: Float[Tensor, "n channels height width"]) -> Quantized:
        """Encode and quantize images."""
        return self.quantizer(self.features(images))

    def decode(
        self, vectors: Float[Tensor, "n rows columns dim"]
    ) -> Float[Tensor, "n channels height width"]:
        """Decode grids of codebook entries to images with values from 0 to 1."""
        return self.decoder(vectors.movedim(-1, 1)).sigmoid()

    def decode_indices(
        self, indices: Int[Tensor, "n rows columns"]
    ) -> Float[Tensor, "n channels height width"]:
        """Decode grids of codebook indices."""
        return self.decode(self.quantizer.codebook[indices])


def vq_vae_loss(
    model: VQVAE, images: Float[Tensor, "n channels height width"]
) -> Float[Tensor, ""]:
    """Return the mean squared error of the pixels plus the loss of the quantizer."""
    quantized = model.encode(images)
    return (model.decode(quantized.vectors) - images).square().mean() + quantized.loss


@dataclass(frozen=True)
class ImageAutoencoderConfig:
    """The sizes of an image autoencoder.

    Attributes:
        channels: Channels of an image: 3 for colour.
        width: Channels after the encoder's first stage.
        stages: Number of times that height and width are halved: two stages turn 32 by
            32 pixels into a grid of 8 by 8.
    """

    channels: int = 3
    latent_channels: int = 4
    width: int = 32
    stages: int = 2

    def compression(self) -> float:
        """Return the number of image values per latent value.

        >>> ImageAutoencoderConfig(
        ...     channels=3, latent_channels=4, stages=3
        ... ).compression()  # Stable Diffusion 1
        48.0
        """
        return self.channels * 4**self.stages / self.latent_channels


class ImageAutoencoder(nn.Module):
    """A KL-regularized convolutional autoencoder of images with values from 0 to 1.

    Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion
        Models, section 3.1 and appendix G, https://arxiv.org/abs/2112.10752

    >>> autoencoder = ImageAutoencoder(ImageAutoencoderConfig())
    >>> autoencoder.to_latents(torch.rand(2, 3, 32, 32), torch.Generator()).shape
    torch.Size([2, 4, 8, 8])
    """

    def __init__(self, config: ImageAutoencoderConfig, seed: int = 0):
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = ConvEncoder(
                config.channels, 2 * config.latent_channels, config.width, config.stages
            )
            self.decoder = ConvDecoder(
                config.channels, config.latent_channels, config.width, config.stages
            )
        self.register_buffer("scaling_factor", torch.tensor(1.0))

    def encode(
        self, images: Float[Tensor, "n channels height width"]
    ) -> LatentGaussian:
        """Return q(z | x) at each position of the grid, before scaling."""
        mean, log_variance = self.encoder(2 * images - 1).chunk(2, dim=1)
        # within the range in which exp neither overflows nor vanishes
        return LatentGaussian(mean, log_variance.clamp(-30, 20))

    def decode(
        self, z: Float[Tensor, "n latent rows columns"]
    ) -> Float[Tensor, "n channels height width"]:
        """Decode unscaled latents to images, whose values may lie slightly below 0 or
        above 1.
        """
        return (self.decoder(z) + 1) / 2

    @torch.no_grad()
    def set_scaling_factor(
        self,
        images: Float[Tensor, "n channels height width"],
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Measure the standard deviation of the latents, and scale by its inverse from
        now on: diffusion adds noise of variance one, so its data should have about the
        same variance.

        Source: Rombach et al., appendix G
        """
        self.scaling_factor.copy_(1 / self.encode(images).sample(generator).std())
        return self.scaling_factor.clone()

    def to_latents(
        self,
        images: Float[Tensor, "n channels height width"],
        generator: torch.Generator,
    ) -> Float[Tensor, "n latent rows columns"]:
        """Sample the scaled latents of each image, the training data of a diffusion
        model.
        """
        return self.scaling_factor * self.encode(images).sample(generator)

    def to_images(
        self, latents: Float[Tensor, "n latent rows columns"]
    ) -> Float[Tensor, "n channels height width"]:
        """Decode scaled latents to images, with values clamped to 0 to 1."""
        return self.decode(latents / self.scaling_factor).clamp(0, 1)


def image_autoencoder_loss(
    model: ImageAutoencoder,
    images: Float[Tensor, "n channels height width"],
    generator: torch.Generator,
    *,
    kl_weight: float = 1e-6,
) -> Float[Tensor, ""]:
    """Return the mean squared error of the pixels plus the mean KL divergence per
    latent value, times a tiny weight.

    Raises:
        ValueError: If `kl_weight` is negative.

    Source: Rombach et al., appendix G, without the perceptual and adversarial losses,
        and with squared instead of absolute errors.
    """
    if kl_weight < 0:
        raise ValueError(f"kl_weight must not be negative, got {kl_weight}")
    q = model.encode(images)
    error = (model.decode(q.sample(generator)) - images).square().mean()
    return error + kl_weight * q.kl_to_prior().mean()


@torch.no_grad()
def encode_images(
    autoencoder: ImageAutoencoder, images: Float[Tensor, "n 3 height width"], seed: int
) -> Float[Tensor, "n latent rows columns"]:
    """Return the scaled latents of many images, encoded in batches."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat(
        [autoencoder.to_latents(part, generator) for part in images.split(500)]
    )


@torch.no_grad()
def reconstruct_images(
    autoencoder: ImageAutoencoder, images: Float[Tensor, "n 3 height width"]
) -> Float[Tensor, "n 3 height width"]:
    """Encode many images in batches, and decode the mean latents."""
    return torch.cat(
        [
            autoencoder.decode(autoencoder.encode(part).mean).clamp(0, 1)
            for part in images.split(250)
        ]
    )
