"""The VQ-VAE: an image becomes a small grid of words from a codebook, and comes back
from them.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.vae.convolutional import ConvDecoder, ConvEncoder
from genai_tutorial.vae.quantizer import EMAVectorQuantizer, Quantized, VectorQuantizer


@dataclass(frozen=True)
class VQVAEConfig:
    """The sizes of a VQ-VAE.

    Attributes:
        channels: Of an image: 1 for grey, 3 for colours.
        codes: Entries of the codebook.
        dim: Numbers in an entry.
        width: Channels after the encoder's first stage.
        stages: How often height and width are halved.
    """

    channels: int = 1
    codes: int = 64
    dim: int = 8
    width: int = 16
    stages: int = 2


class VQVAE(nn.Module):
    """A vector-quantized autoencoder of images with values from 0 to 1.

    Args:
        config: The sizes.
        quantizer: The codebook: `VectorQuantizer` or `EMAVectorQuantizer`, of
            `config.codes` entries of `config.dim` numbers.

    Raises:
        ValueError: If the codebook has another size than the config says.

    Source: van den Oord, Vinyals and Kavukcuoglu, Neural Discrete Representation
        Learning, https://arxiv.org/abs/1711.00937

    >>> import torch
    >>> config = VQVAEConfig(codes=64, dim=8)
    >>> VQVAE(config, VectorQuantizer(64, 8)).encode(
    ...     torch.zeros(2, 1, 28, 28)
    ... ).indices.shape
    torch.Size([2, 7, 7])
    """

    def __init__(
        self, config: VQVAEConfig, quantizer: VectorQuantizer | EMAVectorQuantizer
    ):
        super().__init__()
        if quantizer.codebook.shape != (config.codes, config.dim):
            raise ValueError(
                f"the codebook must have {config.codes} entries of {config.dim} "
                "numbers as the config says, "
                f"got {tuple(quantizer.codebook.shape)}"
            )
        self.config = config
        self.encoder = ConvEncoder(
            config.channels, config.dim, config.width, config.stages
        )
        self.quantizer = quantizer
        self.decoder = ConvDecoder(
            config.channels, config.dim, config.width, config.stages
        )

    def features(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n rows columns dim"]:
        """Return the encoder's vectors, before they are replaced."""
        return self.encoder(images).movedim(1, -1)

    def encode(self, images: Float[Tensor, "n channels height width"]) -> Quantized:
        """Return the words of each image, as a grid."""
        return self.quantizer(self.features(images))

    def decode(
        self, vectors: Float[Tensor, "n rows columns dim"]
    ) -> Float[Tensor, "n channels height width"]:
        """Return the images for grids of entries, from 0 to 1."""
        return self.decoder(vectors.movedim(-1, 1)).sigmoid()

    def decode_indices(
        self, indices: Int[Tensor, "n rows columns"]
    ) -> Float[Tensor, "n channels height width"]:
        """Return the images for grids of words."""
        return self.decode(self.quantizer.codebook[indices])


def vq_vae_loss(
    model: VQVAE, images: Float[Tensor, "n channels height width"]
) -> Float[Tensor, ""]:
    """Return the mean squared error of the pixels, and what the quantizer adds."""
    quantized = model.encode(images)
    return (model.decode(quantized.vectors) - images).square().mean() + quantized.loss
