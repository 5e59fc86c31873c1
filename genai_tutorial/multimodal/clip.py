"""CLIP: an image encoder and a text encoder whose vectors point in the same direction
for an image and its caption.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from .encoder import initialize
from .text_encoder import TextEncoder, TextEncoderConfig
from .vision_transformer import ImageEncoder, ImageEncoderConfig

FIRST_SCALE = 1 / 0.07
"""The initial factor of the cosines."""

LARGEST_SCALE = 100.0
"""The largest factor of the cosines: sharper softmaxes make training unstable."""


@dataclass(frozen=True)
class CLIPConfig:
    """The settings of CLIP.

    Attributes:
        shared_width: The number of features of the vectors that are compared.

    Raises:
        ValueError: If `shared_width` is below 1.
    """

    image: ImageEncoderConfig
    text: TextEncoderConfig
    shared_width: int

    def __post_init__(self):
        if self.shared_width < 1:
            raise ValueError(
                f"shared_width must be at least 1, got {self.shared_width}."
            )


class CLIP(nn.Module):
    """Two encoders, each with a linear layer into a shared space.

    Args:
        seed: Seed of the initial weights.

    Source: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, section 2.3, https://arxiv.org/abs/2103.00020
    """

    def __init__(self, config: CLIPConfig, seed: int = 0):
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config.image, seed)
        self.text_encoder = TextEncoder(config.text, seed + 1)
        self.projections = nn.ModuleDict(
            {
                "image": nn.Linear(
                    config.image.encoder.width, config.shared_width, bias=False
                ),
                "text": nn.Linear(
                    config.text.encoder.width, config.shared_width, bias=False
                ),
            }
        )
        initialize(self.projections, seed + 2)
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """The factor of the cosines: the learned inverse of the temperature, at most
        `LARGEST_SCALE`.
        """
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)

    def embed_images(
        self, images: Float[Tensor, "image channel height width"]
    ) -> Float[Tensor, "image features"]:
        """Return a vector of length 1 for each image."""
        return functional.normalize(
            self.projections["image"](self.image_encoder(images)), dim=1
        )

    def embed_texts(
        self, ids: Int[Tensor, "text token"]
    ) -> Float[Tensor, "text features"]:
        """Return a vector of length 1 for each text."""
        return functional.normalize(
            self.projections["text"](self.text_encoder(ids).pooled), dim=1
        )

    def forward(
        self,
        images: Float[Tensor, "image channel height width"],
        ids: Int[Tensor, "text token"],
    ) -> Float[Tensor, "image text"]:
        """Return the score of each image and text for `contrastive_loss`: their
        cosine, times the scale.
        """
        return self.scale * self.embed_images(images) @ self.embed_texts(ids).T
