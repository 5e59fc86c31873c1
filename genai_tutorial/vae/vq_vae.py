"""The VQ-VAE: encodes an image as a small grid of codebook indices."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from .convolutional import ConvDecoder, ConvEncoder
from .quantizer import EMAVectorQuantizer, Quantized, VectorQuantizer


@dataclass(frozen=True)
class VQVAEConfig:
    """The sizes of a VQ-VAE.

    Attributes:
        channels: Channels of an image: 1 for greyscale, 3 for colour.
        codes: Number of entries in the codebook.
        dim: Dimension of an entry.
        width: Channels after the encoder's first stage.
        stages: Number of times that height and width are halved.
    """

    channels: int = 1
    codes: int = 64
    dim: int = 8
    width: int = 16
    stages: int = 2


class VQVAE(nn.Module):
    """A vector-quantized autoencoder of images with values from 0 to 1.

    Args:
        config: Sizes of the network.
        quantizer: `VectorQuantizer` or `EMAVectorQuantizer` with `config.codes` entries
            of dimension `config.dim`.

    Raises:
        ValueError: If the codebook has a different size.

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
                "numbers to fit the config, got shape "
                f"{tuple(quantizer.codebook.shape)}"
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
