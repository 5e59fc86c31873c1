"""MinHash: finding near-duplicate documents without comparing all pairs.

In a random permutation of all possible shingles, the first shingles of two documents
are equal with a probability of exactly their Jaccard similarity.
"""

import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import combinations

import numpy as np

Pair = tuple[int, int]

BANDS = 16
"""The number of bands of a signature; more find more duplicates and cost more
comparisons.
"""

THRESHOLD = 0.8
"""The smallest Jaccard similarity of duplicates."""

# shingles per chunk, so that the table of 128 permutations fits into the cache
_CHUNK = 1 << 14


def shingles(text: str) -> set[int]:
    """Return hashes of all runs of five words, ignoring case and punctuation. A text
    with fewer words is a single shingle.

    >>> len(shingles("To be, or not to be, that is the question."))
    6
    """
    words = [word.lower() for word in re.findall(r"\w+", text)]
    runs = (words[start : start + 5] for start in range(max(1, len(words) - 4)))
    return {zlib.crc32(" ".join(run).encode()) for run in runs}


def jaccard(a: Set[int], b: Set[int]) -> float:
    """Return the Jaccard similarity of two sets: the size of their intersection divided
    by the size of their union.

    >>> jaccard({1, 2, 3}, {2, 3, 4})
    0.5
    """
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if a or b else 1.0


@dataclass(frozen=True)
class MinHash:
    """Computes signatures. Only signatures with the same settings are comparable.

    Attributes:
        shuffles: Number of random permutations, and of numbers in a signature.

    Raises:
        ValueError: If `shuffles` is below 1.

    Source: Broder, On the resemblance and containment of documents (1997),
    https://doi.org/10.1109/SEQUEN.1997.666900

    >>> hasher = MinHash(shuffles=256)
    >>> signatures = np.stack(
    ...     [hasher.signature(range(0, 300)), hasher.signature(range(100, 400))]
    ... )
    >>> float((signatures[0] == signatures[1]).mean())  # they share 200 of 400
    0.4765625
    """

    shuffles: int = 128
    seed: int = 0

    def __post_init__(self):
        if self.shuffles < 1:
            raise ValueError(f"shuffles must be at least 1, got {self.shuffles}.")

    def signature(self, members: Collection[int]) -> np.ndarray:
        """Return the smallest member under each permutation, as `shuffles` 64-bit
        integers.

        A permutation is x -> a x + b mod 2^64 with random b and random odd a. A fixed
        mixing step before it separates numbers that are close to each other. This is
        the scheme `affine64` of the library datasketch.

        Args:
            members: Non-empty set of integers from 0 to 2^64 - 1, such as `shingles`.

        Raises:
            ValueError: If the set is empty.
        """
        if not members:
            raise ValueError("A signature needs at least one member, got an empty set.")
        factors, shifts = self.factors_and_shifts()
        numbers = _stir(np.fromiter(members, dtype=np.uint64, count=len(members)))
        least = np.full(self.shuffles, 2**64 - 1, dtype=np.uint64)
        for start in range(0, len(numbers), _CHUNK):
            # Products beyond 64 bits wrap around: that is the "mod 2^64".
            shuffled = (
                factors[:, None] * numbers[start : start + _CHUNK] + shifts[:, None]
            )
            np.minimum(least, shuffled.min(axis=1), out=least)
        return least

    def factors_and_shifts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a and b of each permutation."""
        factors, shifts = np.random.default_rng(self.seed).integers(
            0, 2**64, (2, self.shuffles), dtype=np.uint64
        )
        return factors | np.uint64(1), shifts


def _stir(numbers: np.ndarray) -> np.ndarray:
    """Mix the bits of 64-bit integers without collisions: the finalizer of Appleby's
    MurmurHash3.
    """
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        numbers = (numbers ^ (numbers >> np.uint64(33))) * np.uint64(factor)
    return numbers ^ (numbers >> np.uint64(33))


def candidate_probability(similarity: float, bands: int, rows: int) -> float:
    """Return the probability that two documents of similarity s agree in at least one
    band: 1 - (1 - s^r)^b, an S-shaped curve.

    Source: Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4.2,
    http://www.mmds.org

    >>> [
    ...     round(candidate_probability(s, bands=16, rows=8), 3)
    ...     for s in (0.4, 0.6, 0.7, 0.8, 0.9)
    ... ]
    [0.01, 0.237, 0.613, 0.947, 1.0]
    """
    return 1 - (1 - similarity**rows) ** bands


def candidate_pairs(signatures: np.ndarray, bands: int) -> set[Pair]:
    """Return the pairs of rows that agree in a whole band (locality-sensitive hashing).

    Args:
        signatures: Shape (documents, shuffles).

    Raises:
        ValueError: If `bands` does not divide the length of the signatures.

    >>> rows = [[1, 2, 3, 4], [1, 2, 9, 9], [9, 9, 9, 9], [5, 6, 9, 8]]
    >>> sorted(candidate_pairs(np.array(rows), bands=2))
    [(0, 1), (1, 2)]
    """
    if signatures.ndim != 2 or bands < 1 or signatures.shape[1] % bands:
        raise ValueError(
            f"bands must divide the length of the signatures; got {bands=}, shape "
            f"{signatures.shape}."
        )
    pairs: set[Pair] = set()
    for band in np.split(signatures, bands, axis=1):
        buckets = defaultdict(list)
        for place, row in enumerate(np.ascontiguousarray(band)):
            buckets[row.tobytes()].append(place)
        for places in buckets.values():
            pairs.update(combinations(places, 2))
    return pairs


def clusters(count: int, pairs: Iterable[Pair]) -> list[list[int]]:
    """Join pairs into connected groups, so that a copy of a copy is in the same group
    (union-find).
    """
    parent = list(range(count))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]  # path compression
            place = parent[place]
        return place

    for a, b in pairs:
        first, second = sorted((root(a), root(b)))
        parent[second] = first
    groups = defaultdict(list)
    for place in range(count):
        groups[root(place)].append(place)
    return [group for group in groups.values() if len(group) > 1]


@dataclass(frozen=True)
class Duplicates:
    """The result of deduplication.

    Attributes:
        kept: Indices of the documents to keep: those without duplicates, and the first
            of each group.
        groups: Groups of near-duplicates.
    """

    kept: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]


def deduplicate(texts: Sequence[str]) -> Duplicates:
    """Find groups of near-duplicate documents, with a Jaccard similarity of 0.8 or
    more, and keep one document of each.

    The signatures give candidates, and each candidate pair is then compared exactly.
    Therefore only true duplicates are removed, and the only error is a duplicate pair
    that was not a candidate (see `candidate_probability`).

    Source: Lee et al., Deduplicating Training Data Makes Language Models Better,
        section 4.2, https://arxiv.org/abs/2107.06499

    >>> deduplicate(["the cat sat on the mat", "a dog", "The cat sat on the mat!"])
    Duplicates(kept=(0, 1), groups=((0, 2),))
    """
    members = [shingles(text) for text in texts]
    if not members:
        return Duplicates((), ())
    signatures = np.stack([MinHash().signature(member) for member in members])
    similar = [
        (a, b)
        for a, b in candidate_pairs(signatures, BANDS)
        if jaccard(members[a], members[b]) >= THRESHOLD
    ]
    groups = clusters(len(texts), similar)
    gone = {place for group in groups for place in group[1:]}
    kept = tuple(place for place in range(len(texts)) if place not in gone)
    return Duplicates(kept, tuple(map(tuple, groups)))
