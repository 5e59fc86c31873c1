"""Is a difference more than chance? McNemar's test for two methods on the same items,
and the chi-square test of goodness of fit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .intervals import Interval, bootstrap_interval

_LEAST_EXPECTED = 5.0  # counts in a cell; Cochran's rule


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
    Equally good methods win each of the other m items with probability 1/2, like a
    coin. The two-sided p-value of b wins of the first is

    $$p = \min\left(1, \; 2 \sum_{i=0}^{\min(b, m - b)} \binom{m}{i} 2^{-m}\right)$$

    Args:
        first: True for each item that the first method got right.
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
    first: Sequence[bool | int], second: Sequence[bool | int]
) -> Interval:
    """Return by how much the second method's accuracy is higher than the first's, with
    a bootstrap interval over the items.

    Items that are hard for both methods cancel, so the interval is usually narrower
    than two separate intervals suggest.

    Raises:
        ValueError: If there are fewer than two items, or the numbers of items differ.

    >>> print(paired_difference([0] * 20 + [1] * 30, [1] * 10 + [0] * 10 + [1] * 30))
    0.20 (95% interval 0.10 to 0.32)
    """
    _check(first, second)
    return bootstrap_interval(
        [bool(b) - bool(a) for a, b in zip(first, second, strict=True)]
    )


def _check(first: Sequence[bool | int], second: Sequence[bool | int]) -> None:
    if not first or len(first) != len(second):
        raise ValueError(
            "Both methods must have a result for the same items, at least one; got "
            f"{len(first)} and {len(second)} results."
        )


@dataclass(frozen=True)
class ChiSquareTest:
    """The result of a chi-square goodness-of-fit test.

    Attributes:
        statistic: The sum of (observed - expected)² / expected over the cells.
        degrees_of_freedom: The number of cells minus one.
        p_value: The probability of a statistic at least as large for counts that do
            come from the distribution, approximately.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


def chi_square_test(
    counts: Int[Tensor, "outcome"], probabilities: Float[Tensor, "outcome"]
) -> ChiSquareTest:
    r"""Test whether counts come from a distribution.

    $$\chi^2 = \sum_i \frac{(n_i - N p_i)^2}{N p_i}$$

    Outcomes with an expected count below 5 are pooled into one cell, and that cell with
    the next smallest if it is still too small. An outcome that has probability 0 and
    occurs anyway gives a p-value of 0.

    Raises:
        ValueError: If there are no counts, the probabilities do not sum to one, or
            fewer than two cells remain.

    Source: Pearson, On the criterion that a given system of deviations..., 1900,
        https://doi.org/10.1080/14786440009463897; Cochran (1954) for the five

    >>> chi_square_test(torch.tensor([44, 56]), torch.tensor([0.5, 0.5])).p_value
    0.2301...
    >>> chi_square_test(torch.tensor([100, 0]), torch.tensor([0.5, 0.5])).p_value < 1e-9
    True
    """
    probabilities = probabilities.double()
    total = int(counts.sum())
    if total < 1 or counts.min() < 0:
        raise ValueError(
            "counts must be 0 or more and at least one of them positive; got "
            f"{counts.tolist()}."
        )
    if probabilities.min() < 0 or abs(float(probabilities.sum()) - 1) > 1e-3:
        raise ValueError(
            "probabilities must be 0 or more and sum to 1, got the sum "
            f"{float(probabilities.sum()):.4f}."
        )
    expected = total * probabilities / probabilities.sum()
    impossible = bool((counts[expected == 0] > 0).any())
    observed, expected = _pooled(counts.double(), expected)
    if len(expected) < 2:
        raise ValueError(
            f"Fewer than two cells expect {_LEAST_EXPECTED} counts: draw more often "
            f"than {total} times."
        )
    freedom = len(expected) - 1
    statistic = float(((observed - expected).square() / expected).sum())
    if impossible:
        return ChiSquareTest(math.inf, freedom, 0.0)
    halves = torch.tensor([freedom / 2, statistic / 2], dtype=torch.float64)
    return ChiSquareTest(
        statistic, freedom, float(torch.special.gammaincc(halves[0], halves[1]))
    )


def _pooled(observed: Tensor, expected: Tensor) -> tuple[Tensor, ...]:
    """Return the cells in the order of their expected counts, the small ones as one."""
    expected, order = expected.sort()
    observed = observed[order]
    small = int((expected < _LEAST_EXPECTED).sum())
    while 0 < small < len(expected) and expected[:small].sum() < _LEAST_EXPECTED:
        small += 1
    if small == 0:
        return observed, expected
    return tuple(
        torch.cat((values[:small].sum()[None], values[small:]))
        for values in (observed, expected)
    )
