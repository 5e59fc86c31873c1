"""Vector quantization as a layer of a network: codebooks that learn by gradient, or by
running averages.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.vae.codebook import nearest_codes, straight_through


@dataclass(frozen=True)
class Quantized:
    """What a quantizer makes of vectors.

    Attributes:
        vectors: The codebook's entries in their place, with a straight-through
            gradient.
        indices: Which entry each one is.
        loss: What the quantizer adds to the loss of the network.
    """

    vectors: Float[Tensor, "*batch dim"]
    indices: Int[Tensor, "*batch"]
    loss: Float[Tensor, ""]


class VectorQuantizer(nn.Module):
    """Replaces each vector by the nearest entry of a codebook that learns by gradient.

    The loss has two parts: the entries are drawn to the vectors that chose them, and,
    with the weight `commitment`, the vectors to their entries, so that the encoder
    commits to its choice.

    Args:
        codes: How many entries the codebook has.
        dim: The size of a vector.
        commitment: The weight of the second part.

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
        """Look up the nearest entries."""
        indices = nearest_codes(vectors.flatten(0, -2), self.codebook).view(
            vectors.shape[:-1]
        )
        entries = self.codebook[indices]
        loss = (entries - vectors.detach()).square().mean()
        loss = loss + self.commitment * (entries.detach() - vectors).square().mean()
        return Quantized(straight_through(vectors, entries), indices, loss)


class EMAVectorQuantizer(nn.Module):
    """The same, but each entry is a running average of the vectors that chose it, as in
    online k-means.

    In training mode a forward pass moves the codebook; its loss is the commitment
    alone.

    Args:
        codes: How many entries the codebook has.
        dim: The size of a vector.
        commitment: The weight of the vectors' distance to their entries in the loss.
        decay: How much of the past an average keeps at each step.

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
        """Look up the nearest entries, then, in training mode, move them towards the
        vectors that chose them.
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
        # An unused entry stays: its sum and its count decay at the same rate.
        used = counts > 0
        self.codebook[used] = self.sums[used] / self.counts[used, None]

    @torch.no_grad()
    def restart(
        self,
        vectors: Float[Tensor, "*batch dim"],
        generator: torch.Generator,
        below: float = 1.0,
    ) -> int:
        """Move each dead entry onto a vector drawn at random, so that it is chosen
        again; return how many were dead.

        Args:
            vectors: What the encoder puts out now, at least one.
            generator: Decides which of them.
            below: An entry is dead if its running count, how often a batch chooses it
                on average, is below this.

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
