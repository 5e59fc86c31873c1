"""Product quantization: cut each vector into parts, and store for each part only the
number of the nearest entry of a small codebook.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from genai_tutorial.retrieval.vector_index import (
    SearchResult,
    check_search,
    pad_result,
    squared_distances,
)
from genai_tutorial.vae import k_means, random_codebook


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
        codes = [
            squared_distances(piece, codebook).argmin(dim=1)
            for piece, codebook in zip(
                _cut(vectors, self.parts), self.codebooks, strict=True
            )
        ]
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
        tables = torch.stack(
            [
                squared_distances(piece, codebook)
                for piece, codebook in zip(
                    _cut(queries, self.parts), self.codebooks, strict=True
                )
            ]
        )  # (part, query, code)
        total = torch.zeros(len(queries), len(codes), device=queries.device)
        for part, table in enumerate(tables):
            total += table[:, codes[:, part].long()]
        return total


@dataclass(frozen=True)
class QuantizedIndex:
    """Quantized vectors, with the exact ones kept elsewhere to rerank the best.

    Attributes:
        quantizer: The quantizer.
        codes: The code of each vector: all that has to be in memory.
        vectors: The exact vectors, of which a search reads only a few.
    """

    quantizer: ProductQuantizer
    codes: UInt8[Tensor, "n parts"]
    vectors: Float[Tensor, "n dim"]

    def search(
        self, queries: Float[Tensor, "query dim"], k: int, reranked: int = 0
    ) -> SearchResult:
        """Find the k nearest vectors by the codes, or by exact distance among the
        `reranked` nearest by the codes.

        `compared` counts the exact distances only; a distance by the codes is a sum of
        numbers from a table.

        Raises:
            ValueError: If the queries have another number of features, `k` is below 1,
                or `reranked` is neither 0 nor at least `k`.
        """
        check_search(queries, self.quantizer.dim, k)
        if reranked and reranked < k:
            raise ValueError(
                f"reranked must be 0 or at least k, got {reranked=} and {k=}."
            )
        n = len(self.codes)
        rough = self.quantizer.distances(queries, self.codes)
        nearest = rough.topk(min(max(k, reranked), n), largest=False)
        ids, distances = nearest.indices, nearest.values
        if reranked:
            exact = (self.vectors[ids] - queries[:, None]).square().sum(dim=2)
            order = exact.argsort(dim=1)[:, :k]
            ids, distances = ids.gather(1, order), exact.gather(1, order)
        compared = torch.full((len(queries),), min(reranked, n))
        return pad_result(ids, distances, compared, k)


def _cut(vectors: Tensor, parts: int) -> Float[Tensor, "parts n features"]:
    """Return the parts of each vector."""
    if parts < 1 or vectors.shape[1] % parts:
        raise ValueError(
            f"parts must divide the number of features, {vectors.shape[1]}; got "
            f"{parts}."
        )
    return vectors.view(len(vectors), parts, -1).transpose(0, 1).contiguous()
