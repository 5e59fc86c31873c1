"""k-means: a codebook for a fixed set of vectors."""

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.vae.codebook import nearest_codes


@torch.no_grad()
def k_means(
    vectors: Float[Tensor, "n dim"],
    codes: int,
    generator: torch.Generator,
    steps: int = 20,
) -> Float[Tensor, "codes dim"]:
    """Return a codebook: start from random vectors, then repeatedly move each entry to
    the mean of the vectors nearest to it.

    An entry that is nearest to no vector restarts at a random vector.

    Args:
        vectors: At least `codes` vectors.
        codes: Number of entries.
        generator: Random generator for the start.
        steps: Number of iterations.

    Raises:
        ValueError: If `codes` is below 1 or above the number of vectors, or `steps` is
            negative.

    Source: Lloyd, Least squares quantization in PCM,
        https://doi.org/10.1109/TIT.1982.1056489

    >>> points = torch.tensor([[0.0], [1.0], [9.0], [11.0]])
    >>> k_means(points, 2, torch.Generator().manual_seed(0)).flatten().sort().values
    tensor([ 0.5000, 10.0000])
    """
    if not 0 < codes <= len(vectors) or steps < 0:
        raise ValueError(
            "k-means needs at least one code and as many vectors as codes, got "
            f"{codes=}, {len(vectors)} vectors and {steps=}"
        )
    codebook = vectors[torch.randperm(len(vectors), generator=generator)[:codes]]
    for _ in range(steps):
        indices = nearest_codes(vectors, codebook)
        counts = torch.bincount(indices, minlength=codes)
        sums = torch.zeros_like(codebook).index_add_(0, indices, vectors)
        codebook = sums / counts.clamp(min=1)[:, None]
        empty = counts == 0
        rows = torch.randint(len(vectors), (int(empty.sum()),), generator=generator)
        codebook[empty] = vectors[rows]
    return codebook
