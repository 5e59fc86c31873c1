"""An inverted file: group the vectors by their nearest centroid, and search only the
groups nearest to the query.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genai_tutorial.retrieval.vector_index import (
    SearchResult,
    check_search,
    check_vectors,
    squared_distances,
)
from genai_tutorial.vae import k_means, random_codebook


@dataclass(frozen=True)
class InvertedFileIndex:
    """Vectors in lists, one for each centroid.

    Attributes:
        vectors: The vectors; a vector's number is its row.
        centroids: The centre of each list.

    Raises:
        ValueError: If there are no vectors, or the centroids have another number of
            features.

    Source: Sivic and Zisserman, Video Google, section 4,
        https://doi.org/10.1109/ICCV.2003.1238663; Jégou, Douze and Schmid, Product
        Quantization for Nearest Neighbor Search, section 4,
        https://doi.org/10.1109/TPAMI.2010.57

    >>> points = torch.tensor([[0.0], [1.0], [9.0], [11.0]])
    >>> index = InvertedFileIndex(points, centroids=torch.tensor([[0.5], [10.0]]))
    >>> found = index.search(torch.tensor([[8.0]]), k=1, probes=1)
    >>> found.ids.tolist(), found.compared.tolist()  # two centroids, two vectors
    ([[2]], [4])
    """

    vectors: Float[Tensor, "n dim"]
    centroids: Float[Tensor, "lists features"]

    def __post_init__(self):
        check_vectors(self.vectors)
        check_vectors(self.centroids)
        if self.centroids.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"The vectors have {self.vectors.shape[1]} features and the centroids "
                f"{self.centroids.shape[1]}: they must have equally many."
            )

    @classmethod
    def fit(
        cls,
        vectors: Float[Tensor, "n dim"],
        lists: int,
        generator: torch.Generator,
        steps: int = 10,
    ) -> "InvertedFileIndex":
        """Find the centroids by k-means on the vectors themselves.

        Args:
            vectors: The vectors.
            lists: The number of lists; about the square root of the number of vectors
                balances the two parts of a search.
            generator: Random generator of the initial centroids.
            steps: The number of iterations of k-means.

        Raises:
            ValueError: If there are fewer vectors than lists.
        """
        first = random_codebook(vectors, lists, generator)
        return cls(vectors, k_means(vectors, first, steps, generator))

    @cached_property
    def lists(self) -> list[Int[Tensor, "members"]]:
        """The numbers of the vectors in each list."""
        nearest = squared_distances(self.vectors, self.centroids).argmin(dim=1)
        sizes = torch.bincount(nearest, minlength=len(self.centroids))
        return list(nearest.argsort(stable=True).split(sizes.tolist()))

    def search(
        self, queries: Float[Tensor, "query dim"], k: int, probes: int
    ) -> SearchResult:
        """Find the k nearest vectors among those in the nearest lists of each query.

        The comparisons with the centroids count as well.

        Args:
            queries: The queries.
            k: The number of vectors to find.
            probes: The number of lists to search.

        Raises:
            ValueError: If the queries have another number of features, `k` is below 1,
                or there are fewer lists than `probes`.
        """
        check_search(queries, self.vectors.shape[1], k)
        if not 1 <= probes <= len(self.centroids):
            raise ValueError(
                f"probes must be from 1 to the number of lists, {len(self.centroids)}, "
                f"got {probes}."
            )
        to_centroids = squared_distances(queries, self.centroids)
        nearest_lists = to_centroids.topk(probes, largest=False).indices.tolist()
        ids = torch.full((len(queries), k), -1, device=queries.device)
        distances = torch.full((len(queries), k), float("inf"), device=queries.device)
        compared = torch.full(
            (len(queries),), len(self.centroids), device=queries.device
        )
        for row, probed in enumerate(nearest_lists):
            members = torch.cat([self.lists[number] for number in probed])
            squares = squared_distances(queries[row][None], self.vectors[members])[0]
            nearest = squares.topk(min(k, len(members)), largest=False)
            ids[row, : len(nearest.indices)] = members[nearest.indices]
            distances[row, : len(nearest.values)] = nearest.values
            compared[row] += len(members)
        return SearchResult(ids, distances, compared)
