"""Ways to search and to measure a search that the record compares: quantized vectors
with reranking, a weighted mean of scores, ranks of the right results, and citations
that the model writes.
"""

import re
from collections.abc import Hashable, Sequence, Set
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from genai_tutorial.retrieval import NearestVectors, ProductQuantizer
from genai_tutorial.retrieval.vector_index import check_search, pad_result


@dataclass(frozen=True)
class QuantizedIndex:
    """Quantized vectors, with the exact ones kept elsewhere to rerank the best.

    Attributes:
        codes: The code of each vector: all that has to be in memory.
        vectors: The exact vectors, of which a search reads only a few.
    """

    quantizer: ProductQuantizer
    codes: UInt8[Tensor, "n parts"]
    vectors: Float[Tensor, "n dim"]

    def search(
        self, queries: Float[Tensor, "query dim"], k: int, reranked: int = 0
    ) -> NearestVectors:
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


def weighted_fusion(
    scores: Float[Tensor, "method passage"], weights: Sequence[float | int]
) -> Float[Tensor, "passage"]:
    """Return the weighted mean of the methods' scores, each stretched to the range from
    0 to 1.

    Args:
        scores: Each method's score of every passage. A method that gives all the same
            score counts as 0 everywhere.

    Raises:
        ValueError: If there is not one weight for each method, one is negative, or all
            are 0.

    >>> weighted_fusion(torch.tensor([[0.0, 8.0, 4.0], [0.3, 0.1, 0.3]]), [1, 3])
    tensor([0.7500, 0.2500, 0.8750])
    """
    if len(weights) != len(scores) or min(weights) < 0 or sum(weights) == 0:
        raise ValueError(
            f"There must be one weight from 0 up for each of {len(scores)} methods, "
            f"and one above 0; got {list(weights)}."
        )
    low, high = scores.amin(dim=1, keepdim=True), scores.amax(dim=1, keepdim=True)
    width = torch.where(high > low, high - low, torch.ones_like(high))
    shares = torch.tensor(weights, dtype=scores.dtype) / sum(weights)
    return shares @ ((scores - low) / width)


def recall_at_k(
    rankings: Sequence[Sequence[Hashable]], relevant: Sequence[Set[Hashable]], k: int
) -> list[float]:
    """Return for each query the share of its right results among the first k.

    Args:
        rankings: The results for each query, best first.
        relevant: The right results for each query, at least one.

    >>> recall_at_k([["b", "a", "c"], ["a", "b"]], [{"a", "d"}, {"a"}], k=2)
    [0.5, 1.0]
    """
    return [
        len(right.intersection(ranking[:k])) / len(right)
        for ranking, right in zip(rankings, relevant, strict=True)
    ]


def reciprocal_ranks(
    rankings: Sequence[Sequence[Hashable]], relevant: Sequence[Set[Hashable]]
) -> list[float]:
    """Return for each query 1 divided by the rank of the first right result, or 0 if
    there is none. Their mean is the mean reciprocal rank (MRR).

    >>> reciprocal_ranks([["b", "a", "c"], ["a"], ["b"]], [{"a", "c"}, {"a"}, {"a"}])
    [0.5, 1.0, 0.0]
    """
    found = (
        [rank for rank, result in enumerate(ranking, 1) if result in right]
        for ranking, right in zip(rankings, relevant, strict=True)
    )
    return [1 / ranks[0] if ranks else 0.0 for ranks in found]


def written_citations(answer: str, passages: int) -> tuple[int, ...]:
    """Return the numbers of the passages that an answer cites in square brackets, in
    their order and without repetition; numbers that no passage has are left out.

    >>> written_citations("Lima [2], as [1] and [9] say [2].", passages=3)
    (2, 1)
    """
    numbers = [int(number) for number in re.findall(r"\[(\d{1,4})\]", answer)]
    return tuple(dict.fromkeys(number for number in numbers if 1 <= number <= passages))
