"""Residual vector quantization: each codebook quantizes the residual of the previous
ones.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .quantizer import (
    EMAVectorQuantizer,
    k_means,
    nearest_codes,
    random_codebook,
    straight_through,
)


@dataclass(frozen=True)
class ResidualQuantized:
    """The output of a residual quantizer.

    Attributes:
        vectors: Sums of codebook entries, with a straight-through gradient.
        indices: One index per codebook.
        loss: Mean of the codebooks' losses, to be added to the network's loss.
    """

    vectors: Float[Tensor, "*batch dim"]
    indices: Int[Tensor, "*batch book"]
    loss: Float[Tensor, ""]


def bits_per_second(frames_per_second: float | int, books: int, codes: int) -> float:
    """Return the bit rate of codes: each frame has one index per codebook.

    >>> bits_per_second(75, books=8, codes=1024)  # EnCodec at 24 kHz
    6000.0
    """
    return frames_per_second * books * math.log2(codes)


class ResidualVectorQuantizer(nn.Module):
    """A stack of codebooks; a vector becomes the sum of one entry of each.

    The first few codebooks alone give a coarser approximation with fewer bits, so one
    model covers many bit rates. To train it for all of them, draw `books` at random at
    each step (quantizer dropout).

    Args:
        dim: Dimension of a vector.

    Source: Zeghidour et al., SoundStream, section III-C, algorithm 1,
        https://arxiv.org/abs/2107.03312
    """

    def __init__(self, books: int, codes: int, dim: int, commitment: float = 0.25):
        super().__init__()
        self.books = nn.ModuleList(
            EMAVectorQuantizer(codes, dim, commitment) for _ in range(books)
        )

    def forward(
        self, vectors: Float[Tensor, "*batch dim"], books: int | None = None
    ) -> ResidualQuantized:
        """Quantize the vectors, then the residual, and so on.

        Args:
            vectors: Outputs of the encoder.
            books: Number of codebooks to use, from the first; all of them by default.

        Raises:
            ValueError: If `books` is below 1 or above the number of codebooks.
        """
        residual, indices, losses = vectors, [], []
        for quantizer in self._first(books):
            quantized = quantizer(residual)
            residual = residual - quantized.vectors.detach()
            indices.append(quantized.indices)
            losses.append(quantized.loss)
        total = straight_through(vectors, vectors - residual)
        mean = torch.stack(losses).mean()
        return ResidualQuantized(total, torch.stack(indices, -1), mean)

    def decode(
        self, indices: Int[Tensor, "*batch book"]
    ) -> Float[Tensor, "*batch dim"]:
        """Return the sum of the entries with the given indices, one per codebook from
        the first.

        Raises:
            ValueError: If there are more indices per vector than codebooks.
        """
        books = self._first(indices.shape[-1])
        entries = [
            quantizer.codebook[index]
            for quantizer, index in zip(books, indices.unbind(-1), strict=True)
        ]
        return torch.stack(entries).sum(dim=0)

    @torch.no_grad()
    def start(
        self,
        vectors: Float[Tensor, "*batch dim"],
        generator: torch.Generator,
        steps: int = 20,
    ) -> None:
        """Initialize each codebook with k-means on the residuals of the previous ones;
        there must be at least as many vectors as a codebook has entries.
        """
        residual = vectors.flatten(0, -2)
        for quantizer in self.books:
            codes = len(quantizer.codebook)
            first = random_codebook(residual, codes, generator)
            quantizer.set_codebook(k_means(residual, first, steps, generator))
            residual = _left_over(residual, quantizer)

    @torch.no_grad()
    def restart(
        self,
        vectors: Float[Tensor, "*batch dim"],
        generator: torch.Generator,
        below: float = 1.0,
    ) -> int:
        """Replace the dead entries of each codebook by random residuals of the previous
        ones; return the number of dead entries, whose moving average of counts per
        batch is below `below`.
        """
        residual, dead = vectors.flatten(0, -2), 0
        for quantizer in self.books:
            dead += quantizer.restart(residual, generator, below)
            residual = _left_over(residual, quantizer)
        return dead

    def _first(self, books: int | None) -> nn.ModuleList:
        books = len(self.books) if books is None else books
        if not 1 <= books <= len(self.books):
            raise ValueError(
                f"the quantizer has {len(self.books)} codebooks, got {books=}"
            )
        return self.books[:books]


def _left_over(
    vectors: Float[Tensor, "n dim"], quantizer: EMAVectorQuantizer
) -> Float[Tensor, "n dim"]:
    return vectors - quantizer.codebook[nearest_codes(vectors, quantizer.codebook)]
