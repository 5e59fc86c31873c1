"""The privacy accountant: how much the steps of private training reveal about a single
record.

Each step adds Gaussian noise to a sum over records, every one of which takes part with
the same small probability. Its Rényi divergences bound how well anybody can tell, from
everything that training has produced, whether one record was there. They add up over
steps, and epsilon follows from their sum.
"""

import math
from collections.abc import Iterable


def renyi_divergence_of_sampled_gaussian(
    sampling_rate: float | int, noise_multiplier: float | int, order: int
) -> float:
    """Return the Rényi divergence of one step with a record from one without it.

    Source: Mironov, Talwar and Zhang, Rényi Differential Privacy of the Sampled
        Gaussian Mechanism, section 3.3, https://arxiv.org/abs/1908.10530
    """
    _check(sampling_rate, noise_multiplier, order)
    if sampling_rate == 0:
        return 0.0
    if sampling_rate == 1:
        return order / (2 * noise_multiplier**2)
    # ln of the sum over k of binom(order, k) (1-q)^(order-k) q^k e^((k^2-k) / 2 s^2)
    terms = [
        math.lgamma(order + 1)
        - math.lgamma(k + 1)
        - math.lgamma(order - k + 1)
        + (order - k) * math.log1p(-sampling_rate)
        + k * math.log(sampling_rate)
        + (k * k - k) / (2 * noise_multiplier**2)
        for k in range(order + 1)
    ]
    largest = max(terms)
    total = math.fsum(math.exp(term - largest) for term in terms)
    return max(0.0, (largest + math.log(total)) / (order - 1))


def epsilon(
    sampling_rate: float | int,
    noise_multiplier: float | int,
    steps: int,
    delta: float,
    orders: Iterable[int] = range(2, 65),
) -> float:
    """Return the epsilon of (epsilon, delta) differential privacy after some steps: the
    smallest bound that one of the orders gives.

    Args:
        sampling_rate: The probability with which each record takes part in a step.
        noise_multiplier: The standard deviation of the noise, divided by the clipping
            norm; without noise, epsilon is infinite.
        delta: The probability with which the bound may fail; below 1 / records.

    Raises:
        ValueError: If an argument is out of range.

    Source: Canonne, Kamath and Steinke, The Discrete Gaussian for Differential Privacy,
        proposition 12, https://arxiv.org/abs/2004.00010

    >>> round(epsilon(0.02, noise_multiplier=1.0, steps=300, delta=1e-5), 4)
    2.5922
    """
    if steps < 0 or not 0 < delta < 1:
        raise ValueError(
            f"steps must be 0 or more and delta between 0 and 1, got {steps}, {delta}."
        )
    if noise_multiplier == 0:
        return 0.0 if steps == 0 or sampling_rate == 0 else math.inf
    bounds = [
        steps
        * renyi_divergence_of_sampled_gaussian(sampling_rate, noise_multiplier, order)
        + math.log1p(-1 / order)
        - math.log(delta * order) / (order - 1)
        for order in orders
    ]
    if not bounds:
        raise ValueError("There must be at least one order to try, got none.")
    return max(0.0, min(bounds))


def _check(
    sampling_rate: float | int, noise_multiplier: float | int, order: int
) -> None:
    if not 0 <= sampling_rate <= 1:
        raise ValueError(
            "sampling_rate is a probability and must be from 0 to 1, got "
            f"{sampling_rate}."
        )
    if noise_multiplier <= 0:
        raise ValueError(f"noise_multiplier must be above 0, got {noise_multiplier}.")
    if order < 2 or order != int(order):
        raise ValueError(f"order must be an integer from 2, got {order}.")
