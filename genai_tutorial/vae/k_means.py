"""k-means: a codebook for a fixed set of vectors."""

import torch
from jaxtyping import Float
from torch import Tensor

from .codebook import nearest_codes


def random_codebook(
    vectors: Float[Tensor, "n dim"], codes: int, generator: torch.Generator
) -> Float[Tensor, "codes dim"]:
    """Return some of the vectors, each at most once, as the start of `k_means`.

    Args:
        vectors: At least `codes` vectors.
        generator: Random generator of the choice.

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

    Raises:
        ValueError: If `steps` is negative.

    Source: Lloyd, Least squares quantization in PCM,
        https://doi.org/10.1109/TIT.1982.1056489

    >>> points = torch.tensor([[0.0], [1.0], [8.0], [10.0]])
    >>> k_means(points, torch.tensor([[0.0], [1.0]])).flatten()
    tensor([0.5000, 9.0000])
    """
    if steps < 0:
        raise ValueError(f"steps must be 0 or more, got {steps}.")
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
