"""Image tokens: a codebook from k-means on the latents of an autoencoder turns an image
into a row of codes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.vae import nearest_codes


def k_means(
    points: Float[Tensor, "n dim"],
    centres: Float[Tensor, "codes dim"],
    iterations: int = 20,
) -> Float[Tensor, "codes dim"]:
    """Return the centres of k-means: each moves to the mean of its nearest points until
    nothing changes.

    A centre that is nearest to no point stays where it is.

    Args:
        points: The points.
        centres: The initial centres.
        iterations: The largest number of moves; fewer if nothing changes any more.

    Raises:
        ValueError: If `iterations` is below 1.

    Source: Lloyd (1982), Least squares quantization in PCM,
        https://doi.org/10.1109/TIT.1982.1056489

    >>> points = torch.tensor([[0.0], [1.0], [8.0], [10.0]])
    >>> k_means(points, torch.tensor([[0.0], [1.0]])).flatten().tolist()
    [0.5, 9.0]
    """
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}.")
    for _ in range(iterations):
        nearest = nearest_codes(points, centres)
        counts = torch.bincount(nearest, minlength=len(centres))
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        means = sums / counts.clamp(min=1)[:, None]
        moved = torch.where(counts[:, None] > 0, means, centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres


@dataclass(frozen=True)
class ImageTokenizer:
    """Turns latents into codes and back.

    Attributes:
        codebook: The vector of each code.
        rows: The height of the grid of latents.
        columns: Its width.
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
        if not 1 <= codes <= len(points):
            raise ValueError(
                f"codes must be from 1 to the number of latents, {len(points)}, got "
                f"{codes}."
            )
        generator = torch.Generator().manual_seed(seed)
        first = torch.randperm(len(points), generator=generator)[:codes]
        codebook = k_means(points, points[first], iterations)
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
