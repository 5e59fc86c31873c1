"""Vector quantization: codebooks by k-means, and quantizers that learn theirs together
with an encoder.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def random_codebook(
    vectors: Float[Tensor, "n dim"], codes: int, generator: torch.Generator
) -> Float[Tensor, "codes dim"]:
    """Return some of the vectors, each at most once, as the start of `k_means`.

    Raises:
        ValueError: If `codes` is below 1 or above the number of vectors.
    """
    if not 0 < codes <= len(vectors):
        raise ValueError(
            "A codebook needs at least one code and as many vectors as codes, got "
            f"{codes=} and {len(vectors)} vectors."
        )
    return vectors[torch.randperm(len(vectors), generator=generator)[:codes]]


@torch.no_grad()
def k_means(
    vectors: Float[Tensor, "n dim"],
    codebook: Float[Tensor, "codes dim"],
    steps: int = 20,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "codes dim"]:
    """Return a codebook that fits the vectors better: each entry moves to the mean of
    the vectors nearest to it, until nothing changes.

    Args:
        codebook: The first entries, for example from `random_codebook`.
        steps: The largest number of moves.
        generator: Lets an entry that is nearest to no vector restart at a random
            vector; without it, the entry stays where it is.

    Source: Lloyd, Least squares quantization in PCM,
        https://doi.org/10.1109/TIT.1982.1056489

    >>> points = torch.tensor([[0.0], [1.0], [8.0], [10.0]])
    >>> k_means(points, torch.tensor([[0.0], [1.0]])).flatten()
    tensor([0.5000, 9.0000])
    """
    for _ in range(steps):
        indices = nearest_codes(vectors, codebook)
        counts = torch.bincount(indices, minlength=len(codebook))
        sums = torch.zeros_like(codebook).index_add_(0, indices, vectors)
        empty = counts == 0
        moved = sums / counts.clamp(min=1)[:, None]
        moved[empty] = codebook[empty]
        if generator is not None:
            rows = torch.randint(len(vectors), (int(empty.sum()),), generator=generator)
            moved[empty] = vectors[rows]
        if torch.equal(moved, codebook):
            break
        codebook = moved
    return codebook


def nearest_codes(
    vectors: Float[Tensor, "n dim"], codebook: Float[Tensor, "codes dim"]
) -> Int[Tensor, "n"]:
    """Return the index of the nearest codebook entry for each vector, by Euclidean
    distance.

    >>> nearest_codes(torch.tensor([[0.9], [0.2]]), torch.tensor([[0.0], [1.0]]))
    tensor([1, 0])
    """
    return torch.cdist(vectors, codebook).argmin(dim=1)


def straight_through(
    vectors: Float[Tensor, "*shape"], replaced: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return `replaced` with a straight-through gradient: the backward pass ignores the
    replacement and passes the gradient on to `vectors`.

    Source: Bengio, Léonard and Courville, Estimating or Propagating Gradients Through
        Stochastic Neurons for Conditional Computation, https://arxiv.org/abs/1308.3432

    >>> x = torch.tensor([0.4], requires_grad=True)
    >>> y = straight_through(x, x.round())
    >>> y.backward()
    >>> y.item(), x.grad.item()  # the rounded number, the derivative of the identity
    (0.0, 1.0)
    """
    return vectors + (replaced - vectors).detach()


@dataclass(frozen=True)
class CodebookUsage:
    """The usage of a codebook.

    Attributes:
        counts: Number of times that each entry was chosen.
    """

    counts: Int[Tensor, "codes"]

    @property
    def used(self) -> int:
        """Number of entries that were chosen at least once; the others are dead."""
        return int((self.counts > 0).sum())

    @property
    def perplexity(self) -> float:
        """Exponential of the entropy: the number of equally frequent entries that would
        have the same entropy.
        """
        shares = self.counts[self.counts > 0].double() / self.counts.sum()
        return (-(shares * shares.log()).sum()).exp().item()


def codebook_usage(indices: Int[Tensor, "*shape"], codes: int) -> CodebookUsage:
    """Count how often each of `codes` entries occurs.

    Raises:
        ValueError: If an index is not from 0 to codes - 1, or there are no indices.

    >>> usage = codebook_usage(torch.tensor([0, 0, 3, 3]), codes=8)
    >>> usage.used, round(usage.perplexity, 3)
    (2, 2.0)
    """
    if indices.numel() == 0 or indices.min() < 0 or indices.max() >= codes:
        raise ValueError(
            f"indices must be from 0 to {codes - 1}, and there must be at least one"
        )
    return CodebookUsage(torch.bincount(indices.flatten(), minlength=codes))


@dataclass(frozen=True)
class Quantized:
    """The output of a quantizer.

    Attributes:
        vectors: Nearest codebook entries, with a straight-through gradient.
        indices: Indices of these entries.
        loss: Loss of the quantizer, to be added to the network's.
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

    Source: van den Oord, Vinyals and Kavukcuoglu, Neural Discrete Representation
        Learning, equation 3, https://arxiv.org/abs/1711.00937
    """

    def __init__(self, codes: int, dim: int, commitment: float = 0.25):
        super().__init__()
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
        decay: Decay of the moving averages.

    Source: van den Oord, Vinyals and Kavukcuoglu, Neural Discrete Representation
        Learning, appendix A.1, https://arxiv.org/abs/1711.00937
    """

    def __init__(
        self, codes: int, dim: int, commitment: float = 0.25, decay: float = 0.99
    ):
        super().__init__()
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
        """Replace all entries, for example by k-means centres; forget the counts."""
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
