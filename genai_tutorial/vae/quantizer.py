"""Vector quantization layers, whose codebooks learn by gradient descent or by
exponential moving averages.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .codebook import nearest_codes, straight_through


@dataclass(frozen=True)
class Quantized:
    """The output of a quantizer.

    Attributes:
        vectors: Nearest codebook entries, with a straight-through gradient.
        indices: Indices of these entries.
        loss: Loss of the quantizer, to be added to that of the network.
    """

    vectors: Float[Tensor, "*batch dim"]
    indices: Int[Tensor, "*batch"]
    loss: Float[Tensor, ""]


class VectorQuantizer(nn.Module):
    """Replaces each vector by the nearest entry of a codebook, which is trained by
    gradient descent.

    The loss has two terms. The codebook loss pulls entries towards the vectors that
    chose them. The commitment loss, with the weight `commitment`, pulls the vectors
    towards their entries.

    Args:
        codes: Number of entries in the codebook.
        dim: Dimension of a vector.
        commitment: Weight of the commitment loss.

    Raises:
        ValueError: If a size is below one, or the weight is negative.

    Source: van den Oord, Vinyals and Kavukcuoglu, Neural Discrete Representation
        Learning, equation 3, https://arxiv.org/abs/1711.00937
    """

    def __init__(self, codes: int, dim: int, commitment: float = 0.25):
        super().__init__()
        _check(codes, dim, commitment)
        self.commitment = commitment
        self.codebook = nn.Parameter(
            torch.empty(codes, dim).uniform_(-1 / codes, 1 / codes)
        )

    def forward(self, vectors: Float[Tensor, "*batch dim"]) -> Quantized:
        """Replace the vectors by their nearest entries."""
        indices = nearest_codes(vectors.flatten(0, -2), self.codebook).view(
            vectors.shape[:-1]
        )
        entries = self.codebook[indices]
        loss = (entries - vectors.detach()).square().mean()
        loss = loss + self.commitment * (entries.detach() - vectors).square().mean()
        return Quantized(straight_through(vectors, entries), indices, loss)


class EMAVectorQuantizer(nn.Module):
    """Like `VectorQuantizer`, but each entry is a moving average of the vectors that
    chose it, as in online k-means.

    In training mode, each forward pass updates the codebook. The loss is the commitment
    loss only.

    Args:
        codes: Number of entries in the codebook.
        dim: Dimension of a vector.
        commitment: Weight of the commitment loss.
        decay: Decay of the moving averages.

    Raises:
        ValueError: If a size is below one, a weight is negative, or decay is not
            between 0 and 1.

    Source: van den Oord, Vinyals and Kavukcuoglu, Neural Discrete Representation
        Learning, appendix A.1, https://arxiv.org/abs/1711.00937
    """

    def __init__(
        self, codes: int, dim: int, commitment: float = 0.25, decay: float = 0.99
    ):
        super().__init__()
        _check(codes, dim, commitment)
        if not 0 < decay < 1:
            raise ValueError(f"decay must be between 0 and 1, got {decay}")
        self.commitment, self.decay = commitment, decay
        self.register_buffer(
            "codebook", torch.empty(codes, dim).uniform_(-1 / codes, 1 / codes)
        )
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", self.codebook.clone())

    def forward(self, vectors: Float[Tensor, "*batch dim"]) -> Quantized:
        """Replace the vectors by their nearest entries, and in training mode update the
        codebook.
        """
        indices = nearest_codes(vectors.flatten(0, -2), self.codebook).view(
            vectors.shape[:-1]
        )
        entries = self.codebook[indices]
        loss = self.commitment * (entries - vectors).square().mean()
        quantized = Quantized(straight_through(vectors, entries), indices, loss)
        if self.training:
            self._move(vectors.detach().flatten(0, -2), indices.flatten())
        return quantized

    @torch.no_grad()
    def _move(self, vectors: Float[Tensor, "n dim"], indices: Int[Tensor, "n"]) -> None:
        counts = torch.bincount(indices, minlength=len(self.codebook)).to(self.counts)
        sums = torch.zeros_like(self.sums).index_add_(0, indices, vectors)
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        # Unused entries do not move: their sum and count decay at the same rate.
        used = counts > 0
        self.codebook[used] = self.sums[used] / self.counts[used, None]

    @torch.no_grad()
    def set_codebook(self, entries: Float[Tensor, "codes dim"]) -> None:
        """Replace all entries, for example by those of k-means; forget the counts."""
        self.codebook.copy_(entries)
        self.counts.fill_(1)
        self.sums.copy_(entries)

    @torch.no_grad()
    def restart(
        self,
        vectors: Float[Tensor, "*batch dim"],
        generator: torch.Generator,
        below: float = 1.0,
    ) -> int:
        """Replace each dead entry by a random vector, so that it is chosen again;
        return the number of dead entries.

        Args:
            vectors: Current outputs of the encoder, at least one.
            generator: Random generator for the choice of vectors.
            below: An entry is dead if its moving average of counts per batch is below
                this.

        Source: Dhariwal et al., Jukebox, section 3.2 (random restarts),
        https://arxiv.org/abs/2005.00341
        """
        dead = self.counts < below
        vectors = vectors.flatten(0, -2)
        rows = torch.randint(
            len(vectors),
            (int(dead.sum()),),
            generator=generator,
            device=generator.device,
        )
        self.codebook[dead] = vectors[rows.to(vectors.device)]
        self.counts[dead] = below
        self.sums[dead] = below * self.codebook[dead]
        return len(rows)


def _check(codes: int, dim: int, commitment: float) -> None:
    if codes < 1 or dim < 1 or commitment < 0:
        raise ValueError(
            "codes and dim must be at least 1 and commitment not negative, got "
            f"{codes=}, {dim=}, {commitment=}"
        )
