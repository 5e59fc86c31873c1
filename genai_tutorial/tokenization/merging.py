"""Apply the merges of byte-pair encoding to the tokens of one word."""

import heapq
from collections.abc import Mapping, Sequence
from itertools import pairwise


def merge_pairs(
    ids: Sequence[int], ranks: Mapping[tuple[int, int], int], merged: Sequence[int]
) -> list[int]:
    """Merge the tokens of a word: the pair with the lowest rank first, then the
    leftmost.

    The pairs wait in a heap, and a linked list holds the tokens' neighbours, so a word
    of n bytes takes O(n log n) steps.

    Args:
        ids: The tokens of the word's bytes.
        ranks: The rank of each pair that may be merged.
        merged: The token that a pair becomes, by rank.

    >>> merge_pairs([0, 1, 0, 1, 1], {(0, 1): 0, (2, 1): 1}, [2, 3])
    [2, 3]
    """
    ids = [*ids, -1]  # the neighbour at both ends, which merges with nothing
    previous = list(range(-1, len(ids) - 1))
    following = list(range(1, len(ids) + 1))
    queue = [
        (rank, i)
        for i, pair in enumerate(pairwise(ids))
        if (rank := ranks.get(pair)) is not None
    ]
    heapq.heapify(queue)
    while queue:
        rank, i = heapq.heappop(queue)
        # one of the two has been merged in the meantime
        if ids[i] < 0 or ranks.get((ids[i], ids[following[i]])) != rank:
            continue
        gone = following[i]
        beyond = following[gone]
        ids[i], ids[gone] = merged[rank], -1
        following[i], previous[beyond] = beyond, i
        for start, pair in (
            (i, (ids[i], ids[beyond])),
            (previous[i], (ids[previous[i]], ids[i])),
        ):
            if (rank := ranks.get(pair)) is not None:
                heapq.heappush(queue, (rank, start))
    return [index for index in ids if index >= 0]
