"""Image tokens: a codebook from k-means on the latents of an autoencoder turns an image
into a row of codes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.vae import k_means, nearest_codes, random_codebook


@dataclass(frozen=True)
class ImageTokenizer:
    """Turns latents into codes and back.

    Attributes:
        codebook: The vector of each code.
        rows: The height of the grid of latents.
    """

    codebook: Float[Tensor, "codes dim"]
    rows: int
    columns: int

    @classmethod
    def fit(
        cls,
        latents: Float[Tensor, "image dim rows columns"],
        codes: int,
        *,
        seed: int,
        iterations: int = 20,
    ) -> "ImageTokenizer":
        """Fit a codebook to the latents of some images by k-means, from random latents
        as the first centres.

        Args:
            latents: The latents, from `encode_images`.
            codes: The size of the codebook.
            seed: Seed of the choice of the first centres.
            iterations: The largest number of iterations of k-means.

        Raises:
            ValueError: If there are fewer latents than codes.
        """
        points = _points(latents)
        generator = torch.Generator().manual_seed(seed)
        first = random_codebook(points, codes, generator)
        codebook = k_means(points, first, iterations)
        return cls(codebook, latents.shape[2], latents.shape[3])

    @property
    def codes(self) -> int:
        """The size of the codebook."""
        return len(self.codebook)

    @property
    def tokens(self) -> int:
        """The number of codes of an image."""
        return self.rows * self.columns

    def encode(
        self, latents: Float[Tensor, "image dim rows columns"]
    ) -> Int[Tensor, "image token"]:
        """Return the nearest code at each position, row by row."""
        return nearest_codes(_points(latents), self.codebook).view(len(latents), -1)

    def decode(
        self, codes: Int[Tensor, "image token"]
    ) -> Float[Tensor, "image dim rows columns"]:
        """Return the codebook's latents for these codes.

        Raises:
            ValueError: If an image has another number of codes.
        """
        if codes.shape[1] != self.tokens:
            raise ValueError(
                f"An image has {self.tokens} codes, got {codes.shape[1]} in a row."
            )
        grid = self.codebook[codes].view(len(codes), self.rows, self.columns, -1)
        return grid.permute(0, 3, 1, 2)


def _points(latents: Tensor) -> Float[Tensor, "n dim"]:
    """Return the latent vector of each position of each image."""
    return latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
