"""Exact vector search: compare the query with every vector."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class SearchResult:
    """The vectors that an index found for each query, nearest first.

    Attributes:
        ids: Their numbers; -1 where the index found fewer.
        distances: Their squared Euclidean distances; infinite where there is none. For
            vectors of length one this is 2 - 2 · cosine.
        compared: The number of distances that were computed for each query: the work,
            which is the same on every machine.
    """

    ids: Int[Tensor, "query k"]
    distances: Float[Tensor, "query k"]
    compared: Int[Tensor, "query"]


@dataclass(frozen=True)
class FlatIndex:
    """All vectors, compared one by one.

    Attributes:
        vectors: The vectors; a vector's number is its row.

    Raises:
        ValueError: If there are no vectors.

    >>> index = FlatIndex(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    >>> found = index.search(torch.tensor([[0.0, 2.0]]), k=2)
    >>> found.ids.tolist(), found.distances.tolist(), found.compared.tolist()
    ([[2, 0]], [[1.0, 4.0]], [3])
    """

    vectors: Float[Tensor, "n dim"]

    def __post_init__(self):
        check_vectors(self.vectors)

    def search(self, queries: Float[Tensor, "query dim"], k: int) -> SearchResult:
        """Find the k nearest vectors of each query.

        Raises:
            ValueError: If the queries have another number of features, or `k` is below
                1.
        """
        check_search(queries, self.vectors.shape[1], k)
        squares = squared_distances(queries, self.vectors)
        nearest = squares.topk(min(k, len(self.vectors)), largest=False)
        return pad_result(
            nearest.indices,
            nearest.values,
            torch.full((len(queries),), len(self.vectors), device=queries.device),
            k,
        )


def squared_distances(
    queries: Float[Tensor, "query dim"], vectors: Float[Tensor, "n dim"]
) -> Float[Tensor, "query n"]:
    """Return |q|² - 2 q·v + |v|², the squared distance of each pair."""
    squares = vectors.square().sum(dim=1) - 2 * queries @ vectors.T
    return (squares + queries.square().sum(dim=1, keepdim=True)).clamp(min=0)


def recall_of_neighbours(
    found: Int[Tensor, "query k"], exact: Int[Tensor, "query k"]
) -> float:
    """Return the share of the exact nearest vectors that an index found: recall@k.

    >>> recall_of_neighbours(torch.tensor([[4, 2, 7]]), torch.tensor([[4, 7, 9]]))
    0.6666666865348816
    """
    hits = (found[:, :, None] == exact[:, None, :]).any(dim=1)
    return hits.float().mean().item()


def check_vectors(vectors: Float[Tensor, "n dim"]) -> None:
    """Raise a ValueError if there are no vectors or one is not finite."""
    if len(vectors) == 0:
        raise ValueError("An index needs at least one vector, got none.")
    if not vectors.isfinite().all():
        raise ValueError("All vectors must be finite, but one has an infinity or nan.")


def check_search(queries: Float[Tensor, "query dim"], dim: int, k: int) -> None:
    """Raise a ValueError if queries do not fit an index."""
    if queries.shape[1] != dim:
        raise ValueError(
            f"The index holds vectors of {dim} features, got queries with "
            f"{queries.shape[1]}: encode both with the same model."
        )
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")


def pad_result(
    ids: Int[Tensor, "query found"],
    distances: Float[Tensor, "query found"],
    compared: Int[Tensor, "query"],
    k: int,
) -> SearchResult:
    """Fill up rows with fewer than k vectors."""
    missing = (0, k - ids.shape[1])
    return SearchResult(
        torch.nn.functional.pad(ids, missing, value=-1),
        torch.nn.functional.pad(distances, missing, value=float("inf")),
        compared,
    )
