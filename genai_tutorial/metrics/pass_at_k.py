"""pass@k: how often at least one of k generated programs is right."""

import math
from collections.abc import Sequence

from .intervals import Interval, bootstrap_interval


def pass_at_k(samples: int, correct: int, k: int) -> float:
    r"""Estimate the probability that at least one of `k` samples is correct.

    Of $n$ samples, $c$ are correct. A draw of $k$ of them without replacement has no
    correct one in $\binom{n-c}{k}$ of $\binom{n}{k}$ cases, so

    $$\text{pass@}k = 1 - \binom{n-c}{k} \Big/ \binom{n}{k}
    = 1 - \prod_{i=n-c+1}^{n} \left(1 - \frac{k}{i}\right)$$

    The estimate is unbiased, whereas $1 - (1 - c/n)^k$ is too low on average. The
    product has no large numbers, unlike the binomial coefficients.

    Args:
        samples: Number of samples of one problem.
        correct: How many of them pass all tests.

    Raises:
        ValueError: If `correct` is not from 0 to `samples`, or `k` is not from 1 to
            `samples`.

    Source: Chen et al. (2021), Evaluating large language models trained on code,
        section 2.1, https://arxiv.org/abs/2107.03374

    >>> round(pass_at_k(samples=5, correct=2, k=2), 6)  # 1 - 3/10
    0.7
    """
    if not 0 <= correct <= samples:
        raise ValueError(
            f"correct must be from 0 to the {samples} samples, got {correct}"
        )
    if not 1 <= k <= samples:
        raise ValueError(
            f"k must be from 1 to the {samples} samples, got {k}: draw at least {k} "
            "samples of each problem"
        )
    if samples - correct < k:  # every choice of k samples contains a correct one
        return 1.0
    return 1.0 - math.prod(
        1.0 - k / number for number in range(samples - correct + 1, samples + 1)
    )


def pass_at_k_table(
    passed: Sequence[Sequence[bool]],
    ks: Sequence[int],
    level: float = 0.95,
    seed: int = 0,
) -> dict[int, Interval]:
    """Average pass@k over problems, each with a bootstrap interval over the problems.

    The problems are the unit: more samples of the same problems make the estimate for
    these problems more precise, but say nothing about other problems.

    Args:
        passed: For each problem, whether each of its samples passed all tests. Problems
            may have different numbers of samples.
        ks: Numbers of tries.
        level: Share of the bootstrap means inside an interval.
        seed: The same seed gives the same intervals.

    Returns:
        The interval of each k, in the order of `ks`.

    Raises:
        ValueError: If there are fewer than two problems, or one of `ks` is not from 1
            to the smallest number of samples.

    >>> table = pass_at_k_table([[True, False], [False, False], [True, True]], [1, 2])
    >>> print(table[1], "|", table[2])
    0.5 (95% interval 0.0 to 1.0) | 0.7 (95% interval 0.0 to 1.0)
    """
    return {
        k: bootstrap_interval(
            [pass_at_k(len(row), sum(row), k) for row in passed], level, seed
        )
        for k in ks
    }
