"""Nearest neighbours of images in pixel space."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Neighbours:
    """The nearest references of each query, nearest first.

    Attributes:
        distances: Euclidean distance over all pixels.
        indices: Index of the reference.
    """

    distances: Float[Tensor, "query k"]
    indices: Int[Tensor, "query k"]


@torch.no_grad()
def nearest_neighbours(
    queries: Float[Tensor, "query *shape"],
    references: Float[Tensor, "reference *shape"],
    k: int = 1,
    chunk: int = 512,
) -> Neighbours:
    """Find the k nearest references of each query by Euclidean distance in pixel space,
    exactly.

    Args:
        queries: Images (or any points) to find neighbours for.
        references: Images of the same shape to search in.
        chunk: Number of queries per matrix product; changes the memory, not the result.

    Raises:
        ValueError: If the shapes differ, or `k` or `chunk` is out of range.

    >>> found = nearest_neighbours(
    ...     torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]), k=2
    ... )
    >>> found.indices.tolist(), found.distances.tolist()
    ([[1, 0]], [[1.0, 5.0]])
    """
    if queries.shape[1:] != references.shape[1:]:
        raise ValueError(
            f"Images have different shapes: {tuple(queries.shape[1:])} and "
            f"{tuple(references.shape[1:])}"
        )
    if not 1 <= k <= len(references):
        raise ValueError(
            f"k must be from 1 to the number of references, {len(references)}, got {k}"
        )
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    # In float32, ‖a‖² + ‖b‖² − 2ab loses the small distances, which are the ones that
    # matter here.
    flat_queries, flat_references = (
        queries.flatten(1).double(),
        references.flatten(1).double(),
    )
    reference_squares = flat_references.square().sum(dim=1)
    indices, distances = [], []
    for part in flat_queries.split(chunk):
        # The square of the query is the same for all references, so the order does not
        # depend on it.
        nearest = (
            (reference_squares - 2 * part @ flat_references.T)
            .topk(k, largest=False)
            .indices
        )
        # Computed from the difference, the distance of a copy is 0, not 1e-7.
        found = (
            (part[:, None, :] - flat_references[nearest]).square().sum(dim=-1).sqrt()
        )
        order = found.argsort(dim=1, stable=True)
        indices.append(nearest.gather(1, order))
        distances.append(found.gather(1, order))
    return Neighbours(
        distances=torch.cat(distances).to(queries.dtype), indices=torch.cat(indices)
    )
