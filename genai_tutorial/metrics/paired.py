"""Two methods on the same items: is the difference more than chance?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .intervals import Interval, bootstrap_interval


@dataclass(frozen=True)
class PairedTest:
    """The result of McNemar's test.

    Attributes:
        only_first: The number of items that only the first method got right.
        only_second: The number of items that only the second method got right.
        p_value: The probability of a split at least as uneven if both methods are
            equally good.
    """

    only_first: int
    only_second: int
    n: int
    p_value: float


def mcnemar_test(
    first: Sequence[bool | int], second: Sequence[bool | int]
) -> PairedTest:
    r"""Test whether two methods are equally good, by McNemar's exact test.

    Items that both methods got right, or both wrong, say nothing about the difference.
    If the methods are equally good, each of the other m items is won by either with
    probability 1/2, like a coin. The two-sided p-value of b wins of the first is

    $$p = \min\left(1, \; 2 \sum_{i=0}^{\min(b, m - b)} \binom{m}{i} 2^{-m}\right)$$

    Args:
        first: Whether the first method got each item right.
        second: The same for the second method, in the same order.

    Raises:
        ValueError: If there is no item, or the numbers of items differ.

    Source: McNemar (1947), Note on the sampling error of the difference between
        correlated proportions or percentages, https://doi.org/10.1007/BF02295996

    >>> mcnemar_test([1, 1, 0, 0, 0, 0, 0, 0], [1, 0, 1, 1, 1, 1, 1, 1])
    PairedTest(only_first=1, only_second=6, n=8, p_value=0.125)
    """
    _check(first, second)
    only_first = sum(bool(a) and not b for a, b in zip(first, second, strict=True))
    only_second = sum(bool(b) and not a for a, b in zip(first, second, strict=True))
    m, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(m, i) for i in range(fewer + 1))
    return PairedTest(only_first, only_second, len(first), min(1.0, 2 * tail / 2**m))


def paired_difference(
    first: Sequence[bool | int],
    second: Sequence[bool | int],
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return by how much the second method's accuracy is higher than the first's, with
    a bootstrap interval over the items.

    Items that are hard for both methods cancel, so the interval is usually narrower
    than two separate intervals suggest.

    Args:
        first: Whether the first method got each item right.
        second: The same for the second method, in the same order.
        level: See `bootstrap_interval`.

    Raises:
        ValueError: If there are fewer than two items, the numbers of items differ, or
            `level` is out of range.

    >>> print(paired_difference([0] * 20 + [1] * 30, [1] * 10 + [0] * 10 + [1] * 30))
    0.20 (95% interval 0.10 to 0.32)
    """
    _check(first, second)
    differences = [
        int(bool(b)) - int(bool(a)) for a, b in zip(first, second, strict=True)
    ]
    return bootstrap_interval(differences, level, seed)


def _check(first: Sequence[bool | int], second: Sequence[bool | int]) -> None:
    if not first or len(first) != len(second):
        raise ValueError(
            "Both methods must have a result for the same items, at least one; got "
            f"{len(first)} and {len(second)} results."
        )
