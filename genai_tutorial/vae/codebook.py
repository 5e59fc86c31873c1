"""Codebooks: replace each vector by its nearest entry, and measure how many entries are
used.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


def nearest_codes(
    vectors: Float[Tensor, "n dim"], codebook: Float[Tensor, "codes dim"]
) -> Int[Tensor, "n"]:
    """Return the index of the nearest codebook entry for each vector, by Euclidean
    distance.

    >>> nearest_codes(
    ...     torch.tensor([[0.9], [0.2]]), codebook=torch.tensor([[0.0], [1.0]])
    ... ).tolist()
    [1, 0]
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
    >>> (
    ...     y.item(),
    ...     x.grad.item(),
    ... )  # value of the rounded number, derivative of the identity
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
