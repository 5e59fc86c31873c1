"""Hierarchical navigable small worlds (HNSW): a graph that links each vector to near
ones, and a search that walks along the links towards the query.
"""

import heapq
import math
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .vector_index import NearestVectors, check_search, check_vectors, pad_result

Near = list[tuple[float, int]]
"""Squared distances with the numbers of the vectors, nearest first."""


class SmallWorldGraph:
    """A graph in layers. Layer 0 holds all vectors; each further one holds about a
    `links`-th of those below it, with longer links.

    A search descends from the top: in each upper layer it walks to the vector nearest
    to the query, and in layer 0 it collects the nearest ones.

    Args:
        vectors: The vectors; a vector's number is its row. They are added in this
            order.
        links: The number of links that a new vector gets in each layer. A vector may
            have twice as many in layer 0.
        width: The number of candidates kept while looking for a new vector's links.
        seed: Seed of the draws that assign vectors to layers.

    Attributes:
        layers: For each layer the linked numbers of each of its vectors.

    Raises:
        ValueError: If there are no vectors, or `links` or `width` is too small.

    Source: Malkov and Yashunin, Efficient and Robust Approximate Nearest Neighbor
        Search Using Hierarchical Navigable Small World Graphs, algorithms 1, 2, 4 and
        5, https://arxiv.org/abs/1603.09320

    >>> graph = SmallWorldGraph(torch.arange(50.0)[:, None], links=2, width=4)
    >>> graph.search(torch.tensor([[20.2]]), k=3, width=4).ids.tolist()
    [[20, 21, 19]]
    """

    def __init__(
        self,
        vectors: Float[Tensor, "n dim"],
        links: int = 16,
        width: int = 40,
        seed: int = 0,
    ):
        check_vectors(vectors)
        if links < 2 or width < 1:
            raise ValueError(
                "links must be at least 2 and width at least 1, got "
                f"{links=}, {width=}."
            )
        # NumPy, because a search makes many small steps, and each call of torch costs
        # several times as much as one of NumPy.
        self._vectors = vectors.cpu().numpy()
        self._squares = np.square(self._vectors).sum(axis=1)
        self.links, self.width = links, width
        self.layers: list[dict[int, list[int]]] = []
        self._entry = 0
        draws = torch.rand(len(vectors), generator=torch.Generator().manual_seed(seed))
        tops = (-(1 - draws).log() / math.log(links)).int().tolist()
        for number in range(len(vectors)):
            self._add(number, tops[number])

    @torch.no_grad()
    def search(
        self, queries: Float[Tensor, "query dim"], k: int, width: int
    ) -> NearestVectors:
        """Find about the k nearest vectors of each query.

        Args:
            k: The number of vectors to find.
            width: The number of candidates kept in layer 0, called ef in the paper:
                more find more and cost more.

        Raises:
            ValueError: If the queries have another number of features, `k` is below 1,
                or `width` is below `k`.
        """
        check_search(queries, self._vectors.shape[1], k)
        if width < k:
            raise ValueError(f"width must be at least k, got {width=} and {k=}.")
        n = min(k, len(self._vectors))
        ids = torch.full((len(queries), n), -1, device=queries.device)
        distances = torch.full((len(queries), n), float("inf"), device=queries.device)
        compared = torch.zeros(len(queries), dtype=torch.long, device=queries.device)
        for row, query in enumerate(queries.cpu().numpy()):
            seen: list[int] = []
            near = self._descend(query, 0, seen)
            near = self._walk(query, near, 0, width, seen)[:n]
            ids[row, : len(near)] = torch.tensor([number for _, number in near])
            distances[row, : len(near)] = torch.tensor([square for square, _ in near])
            compared[row] = len(seen)
        return pad_result(ids, distances, compared, k)

    def _add(self, number: int, top: int) -> None:
        """Link a vector to its neighbours in layers `top` down to 0."""
        query, seen = self._vectors[number], []
        near = self._descend(query, top, seen) if self.layers else []
        for layer in range(min(top, len(self.layers) - 1), -1, -1):
            near = self._walk(query, near, layer, self.width, seen)
            neighbours = self._choose(near, self.links)
            self.layers[layer][number] = neighbours
            for neighbour in neighbours:
                self._link_back(layer, neighbour, number)
        while len(self.layers) <= top:  # the first vector of a new layer
            self.layers.append({number: []})
            self._entry = number

    def _descend(self, query: np.ndarray, to: int, seen: list[int]) -> Near:
        """Walk to the nearest vector in each layer above `to`, from the top."""
        near = self._measure(query, [self._entry], seen)
        for layer in range(len(self.layers) - 1, to, -1):
            near = self._walk(query, near, layer, 1, seen)
        return near

    def _walk(
        self, query: np.ndarray, start: Near, layer: int, width: int, seen: list[int]
    ) -> Near:
        """Follow links from the nearest candidate that was not followed yet, until it
        is farther than the `width` best; return these.
        """
        links = self.layers[layer]
        visited = {number for _, number in start}
        to_follow = list(start)
        heapq.heapify(to_follow)
        # A heap has its smallest at the top: with negative distances, the farthest.
        best = [(-square, number) for square, number in start]
        heapq.heapify(best)
        while to_follow:
            square, number = heapq.heappop(to_follow)
            if len(best) >= width and square > -best[0][0]:
                break
            unseen = [other for other in links[number] if other not in visited]
            visited.update(unseen)
            for candidate in self._measure(query, unseen, seen) if unseen else ():
                if len(best) < width or candidate[0] < -best[0][0]:
                    heapq.heappush(to_follow, candidate)
                    heapq.heappush(best, (-candidate[0], candidate[1]))
                    if len(best) > width:
                        heapq.heappop(best)
        return sorted((-negative, number) for negative, number in best)

    def _choose(self, near: Near, count: int) -> list[int]:
        """Choose at most `count` links: a candidate that is nearer to one already
        chosen is left out, because it can be reached over that one.
        """
        numbers = [number for _, number in near]
        between = self._between(numbers)
        chosen: list[int] = []  # places in `near`
        for place, (square, _) in enumerate(near):
            if all(between[place, other] > square for other in chosen):
                chosen.append(place)
                if len(chosen) == count:
                    break
        return [numbers[place] for place in chosen]

    def _link_back(self, layer: int, number: int, new: int) -> None:
        """Link a neighbour to the new vector, and drop links if it has too many."""
        linked = self.layers[layer][number]
        linked.append(new)
        most = 2 * self.links if layer == 0 else self.links
        if len(linked) > most:
            near = sorted(self._measure(self._vectors[number], linked, []))
            self.layers[layer][number] = self._choose(near, most)

    def _measure(
        self, query: np.ndarray, numbers: Iterable[int], seen: list[int]
    ) -> Near:
        """Return the squared distance of the query to each of the vectors."""
        numbers = list(numbers)
        seen.extend(numbers)
        products = self._vectors[numbers] @ query
        squares = self._squares[numbers] - 2 * products + query @ query
        return list(zip(np.maximum(squares, 0).tolist(), numbers, strict=True))

    def _between(self, numbers: list[int]) -> np.ndarray:
        """Return the squared distance between each two of the vectors."""
        vectors, squares = self._vectors[numbers], self._squares[numbers]
        return squares[:, None] + squares - 2 * vectors @ vectors.T
