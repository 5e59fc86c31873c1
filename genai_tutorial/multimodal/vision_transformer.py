"""The vision Transformer: an image is cut into patches, and each patch is a token."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.transformer import LearnedPositions

from .encoder import Encoder, EncoderConfig, initialize


@dataclass(frozen=True)
class ImageEncoderConfig:
    """The settings of a vision Transformer.

    Attributes:
        image_size: Height and width of an image in pixels.
        patch_size: Height and width of a patch; must divide `image_size`.
        channels: 3 for red, green and blue, 1 for grey.

    Raises:
        ValueError: If the patches do not fill the image.

    >>> ImageEncoderConfig(
    ...     EncoderConfig(width=8, layers=1, heads=1), image_size=32, patch_size=5
    ... )
    Traceback (most recent call last):
    ...
    ValueError: patch_size must divide image_size, got patch_size=5 and image_size=32.
    """

    encoder: EncoderConfig
    image_size: int = 32
    patch_size: int = 4
    channels: int = 3

    def __post_init__(self):
        if self.patch_size < 1 or self.image_size % self.patch_size:
            raise ValueError(
                f"patch_size must divide image_size, got patch_size={self.patch_size} "
                f"and image_size={self.image_size}."
            )

    @property
    def patches(self) -> int:
        """The number of patches in an image."""
        return (self.image_size // self.patch_size) ** 2


class ImageEncoder(nn.Module):
    """Encodes an image as one vector.

    One linear layer turns each patch into a vector. A learned vector, the class token,
    comes first; it belongs to no patch, and its output after the last block represents
    the whole image.

    Args:
        seed: Seed of the initial weights.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words, section 3.1,
        https://arxiv.org/abs/2010.11929; Radford et al., Learning Transferable Visual
        Models From Natural Language Supervision, section 2.4 (the norm before the first
        block), https://arxiv.org/abs/2103.00020

    >>> encoder = ImageEncoder(
    ...     ImageEncoderConfig(EncoderConfig(width=16, layers=1, heads=2))
    ... )
    >>> encoder(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 16])
    """

    def __init__(self, config: ImageEncoderConfig, seed: int = 0):
        super().__init__()
        width = config.encoder.width
        self.config = config
        # A convolution whose stride is its kernel size is a linear layer on each patch.
        self.patch_embedding = nn.Conv2d(
            config.channels, width, config.patch_size, config.patch_size, bias=False
        )
        self.class_token = nn.Parameter(torch.zeros(width))
        self.positions = LearnedPositions(config.patches + 1, width)
        self.first_norm = nn.LayerNorm(width)
        self.encoder = Encoder(config.encoder, causal=False)
        self.final_norm = nn.LayerNorm(width)
        initialize(self, seed)
        with torch.no_grad():  # patches must be distinguishable from the first step on
            generator = torch.Generator().manual_seed(seed)
            self.positions.weight.normal_(0.0, 0.1, generator=generator)
            self.class_token.normal_(0.0, 0.1, generator=generator)

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch features"]:
        """Return the vector of the class token after the last block.

        Raises:
            ValueError: If the images have another size or number of channels.
        """
        return self.final_norm(self.read(images)[:, 0])

    def read(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch position features"]:
        """Return all vectors after the last block: the class token's, then those of
        the patches, row by row.

        Raises:
            ValueError: If the images have another size or number of channels.
        """
        expected = (
            self.config.channels,
            self.config.image_size,
            self.config.image_size,
        )
        if images.shape[1:] != expected:
            raise ValueError(
                f"Images must have the shape {expected}, got {tuple(images.shape[1:])}."
            )
        patches = self.patch_embedding(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(images), 1, -1), patches], dim=1)
        return self.encoder(self.first_norm(self.positions(x)))
