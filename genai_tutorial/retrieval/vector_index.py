"""Vector search: every vector (flat), the nearest lists (inverted file), and codes of a
few bytes (product quantization).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from genai_tutorial.vae import k_means, random_codebook


@dataclass(frozen=True)
class NearestVectors:
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
        ValueError: If there are no vectors, or one is not finite.

    >>> index = FlatIndex(torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    >>> found = index.search(torch.tensor([[0.0, 2.0]]), k=2)
    >>> found.ids.tolist(), found.distances.tolist(), found.compared.tolist()
    ([[2, 0]], [[1.0, 4.0]], [3])
    """

    vectors: Float[Tensor, "n dim"]

    def __post_init__(self):
        check_vectors(self.vectors)

    def search(self, queries: Float[Tensor, "query dim"], k: int) -> NearestVectors:
        """Find the k nearest vectors of each query.

        Raises:
            ValueError: If the queries have another number of features, or `k` is below
                1.
        """
        check_search(queries, self.vectors.shape[1], k)
        squares = squared_distances(queries, self.vectors)
        nearest = squares.topk(min(k, len(self.vectors)), largest=False)
        compared = torch.full_like(nearest.indices[:, 0], len(self.vectors))
        return pad_result(nearest.indices, nearest.values, compared, k)


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
    ) -> NearestVectors:
        """Find the k nearest vectors among those in the nearest lists of each query.

        The comparisons with the centroids count as well.

        Args:
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
        distances = torch.full((len(queries), k), torch.inf, device=queries.device)
        compared = torch.full_like(ids[:, 0], len(self.centroids))
        for row, probed in enumerate(nearest_lists):
            members = torch.cat([self.lists[number] for number in probed])
            squares = squared_distances(queries[row][None], self.vectors[members])[0]
            nearest = squares.topk(min(k, len(members)), largest=False)
            ids[row, : len(nearest.indices)] = members[nearest.indices]
            distances[row, : len(nearest.values)] = nearest.values
            compared[row] += len(members)
        return NearestVectors(ids, distances, compared)


@dataclass(frozen=True)
class ProductQuantizer:
    """One codebook for each part of a vector.

    Attributes:
        codebooks: The entries of each codebook, at most 256, so that a code is a byte.

    Raises:
        ValueError: If a codebook has more than 256 entries.

    Source: Jégou, Douze and Schmid, Product Quantization for Nearest Neighbor Search,
        section 3, https://doi.org/10.1109/TPAMI.2010.57

    >>> codebooks = torch.tensor([[[0.0], [1.0]], [[0.0], [10.0]]])
    >>> quantizer = ProductQuantizer(codebooks)
    >>> codes = quantizer.encode(torch.tensor([[0.9, 2.0]]))
    >>> codes.tolist(), quantizer.decode(codes).tolist()
    ([[1, 0]], [[1.0, 0.0]])
    """

    codebooks: Float[Tensor, "parts codes features"]

    def __post_init__(self):
        if self.codebooks.shape[1] > 256:
            raise ValueError(
                "A codebook has at most 256 entries, so that a code fits into a byte; "
                f"got {self.codebooks.shape[1]}."
            )

    @classmethod
    def fit(
        cls,
        vectors: Float[Tensor, "n dim"],
        parts: int,
        generator: torch.Generator,
        codes: int = 256,
        steps: int = 10,
    ) -> "ProductQuantizer":
        """Find each part's codebook by k-means.

        Args:
            vectors: Vectors like those to store; at least `codes`.
            parts: The number of parts, and of bytes per stored vector; must divide the
                number of features.
            generator: Random generator of the initial entries.
            codes: The number of entries of a codebook.
            steps: The number of iterations of k-means.

        Raises:
            ValueError: If `parts` does not divide the number of features, or there are
                fewer vectors than codes.
        """
        codebooks = []
        for piece in _cut(vectors, parts):
            first = random_codebook(piece, codes, generator)
            codebooks.append(k_means(piece, first, steps, generator))
        return cls(torch.stack(codebooks))

    @property
    def parts(self) -> int:
        """The number of parts, and of bytes per vector."""
        return len(self.codebooks)

    @property
    def dim(self) -> int:
        """The number of features of a vector."""
        return self.parts * self.codebooks.shape[2]

    def encode(self, vectors: Float[Tensor, "n dim"]) -> UInt8[Tensor, "n parts"]:
        """Return the number of the nearest entry for each part of each vector."""
        codes = [table.argmin(dim=1) for table in self._tables(vectors)]
        return torch.stack(codes, dim=1).to(torch.uint8)

    def decode(self, codes: UInt8[Tensor, "n parts"]) -> Float[Tensor, "n dim"]:
        """Return the vectors that the codes stand for."""
        parts = torch.arange(self.parts)
        return self.codebooks[parts, codes.long()].flatten(1)

    def distances(
        self, queries: Float[Tensor, "query dim"], codes: UInt8[Tensor, "n parts"]
    ) -> Float[Tensor, "query n"]:
        """Return the squared distance of each query to each decoded vector, without
        decoding: a table of the query's distances to all entries, looked up and added.
        """
        total = torch.zeros(len(queries), len(codes), device=queries.device)
        for part, table in enumerate(self._tables(queries)):
            total += table[:, codes[:, part].long()]
        return total

    def _tables(
        self, vectors: Float[Tensor, "n dim"]
    ) -> Iterator[Float[Tensor, "n code"]]:
        """Yield for each part the squared distances to the entries of its codebook."""
        return map(squared_distances, _cut(vectors, self.parts), self.codebooks)


def _cut(vectors: Tensor, parts: int) -> Float[Tensor, "parts n features"]:
    """Return the parts of each vector."""
    if parts < 1 or vectors.shape[1] % parts:
        raise ValueError(
            f"parts must divide the number of features, {vectors.shape[1]}; got "
            f"{parts}."
        )
    return vectors.view(len(vectors), parts, -1).transpose(0, 1).contiguous()


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
) -> NearestVectors:
    """Fill up rows with fewer than k vectors."""
    missing = (0, k - ids.shape[1])
    ids = functional.pad(ids, missing, value=-1)
    return NearestVectors(
        ids, functional.pad(distances, missing, value=torch.inf), compared
    )
