"""Scaling laws: predict the loss of larger models and longer runs from small ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

FLOPS_PER_TOKEN = 6
"""Training operations per parameter and token: two in the forward pass, four in the
backward pass.
"""

_EXPONENTS = (0.2, 0.5, 1.0)
_FLOORS = (0.2, 0.6, 0.95)


@dataclass(frozen=True)
class PowerLaw:
    """A loss that falls with one or more scales: floor + factor_1 / scale_1^exponent_1
    + ...

    With the scales N (parameters) and D (tokens) it is Chinchilla's law, E + A /
    N^alpha + B / D^beta.

    Attributes:
        floor: The irreducible loss: an estimate of the entropy of the text.
        factors: One for each scale.
        exponents: One for each scale.

    Source: Hoffmann et al., Training Compute-Optimal Large Language Models, equation
        10, https://arxiv.org/abs/2203.15556

    >>> chinchilla = PowerLaw(1.69, (406.4, 410.7), (0.34, 0.28))
    >>> round(
    ...     float(chinchilla([70e9, 1.4e12])), 2
    ... )  # the model of that name: 70 billion weights, 1.4 trillion tokens
    1.94
    """

    floor: float
    factors: tuple[float, ...]
    exponents: tuple[float, ...]

    def __call__(self, scales: Sequence | np.ndarray) -> np.ndarray:
        """Return the loss at each point; `scales` has one number for each scale in its
        last dimension.
        """
        scales = np.asarray(scales, dtype=float)
        return np.asarray(
            self.floor
            + (np.array(self.factors) * scales ** -np.array(self.exponents)).sum(-1)
        )


@dataclass(frozen=True)
class Allocation:
    """The division of a compute budget between parameters and tokens."""

    parameters: float
    tokens: float


def fit_power_law(
    scales: Float[np.ndarray, "run scale"],
    losses: Float[np.ndarray, " run"],
    delta: float = 1e-3,
) -> PowerLaw:
    """Fit a power law to runs by minimizing the Huber loss between the logarithms of
    measured and predicted losses.

    The Huber loss is quadratic near zero and linear beyond `delta`, so that an outlier
    has little influence. The search starts from many points, because it can end in a
    local minimum.

    Args:
        scales: One row per run, for example its parameters, or its parameters and
            tokens.
        losses: The held-out loss of each run.
        delta: The error at which the Huber loss becomes linear.

    Raises:
        ValueError: If a number is not above 0, or there are no more runs than unknowns.

    Source: Hoffmann et al., Training Compute-Optimal Large Language Models, section 3.3
    and appendix D.2
    """
    from scipy import optimize, special  # here, because they take a while to load

    (runs, count), unknowns = scales.shape, 1 + 2 * scales.shape[1]
    if not (scales > 0).all() or not (losses > 0).all() or delta <= 0:
        raise ValueError("scales, losses and delta must be above 0.")
    if runs <= unknowns:
        raise ValueError(
            f"A law with {unknowns} unknowns needs more than {unknowns} runs, got "
            f"{runs}."
        )
    # centred, so that a factor and its exponent are not correlated
    middle = np.log(scales).mean(0)
    places, targets = np.log(scales) - middle, np.log(losses)

    def distance(unknown: np.ndarray) -> tuple[float, np.ndarray]:
        exponents = unknown[1 + count :]
        terms = np.column_stack(
            [np.full(runs, unknown[0]), unknown[1 : 1 + count] - exponents * places]
        )
        errors = special.logsumexp(terms, axis=1) - targets
        slopes = np.clip(errors, -delta, delta)[:, None] * special.softmax(
            terms, axis=1
        )
        gradient = np.concatenate([slopes.sum(0), -(slopes[:, 1:] * places).sum(0)])
        # Divided by delta^2, so that the values are near 1 and the search can tell that
        # it has converged.
        return special.huber(delta, errors).sum() / delta**2, gradient / delta**2

    best = None
    for floor, *exponents in product(_FLOORS, *[_EXPONENTS] * count):
        share = np.log(losses.min() * (1 - floor) / count)
        start = np.array([np.log(losses.min() * floor), *[share] * count, *exponents])
        solution = optimize.minimize(
            distance,
            start,
            jac=True,
            method="BFGS",
            options={"maxiter": 500, "gtol": 1e-7},
        )
        if best is None or solution.fun < best.fun:
            best = solution
    exponents = best.x[1 + count :]
    factors = np.exp(best.x[1 : 1 + count] + exponents * middle)
    return PowerLaw(
        float(np.exp(best.x[0])), tuple(factors.tolist()), tuple(exponents.tolist())
    )


def compute_optimal(law: PowerLaw, flops: float) -> Allocation:
    """Return the numbers of parameters N and tokens D with the lowest loss for a
    compute budget of 6 x N x D.

    Raises:
        ValueError: If the law does not have the two scales parameters and tokens.

    Source: Hoffmann et al., equation 4 (there from the law's derivative along a curve
    of equal compute)

    >>> best = compute_optimal(
    ...     PowerLaw(1.69, (406.4, 410.7), (0.34, 0.28)), flops=5.88e23
    ... )
    >>> f"{best.parameters:.2g} parameters, {best.tokens:.2g} tokens"
    '3.2e+10 parameters, 3e+12 tokens'
    """
    (a, b), (alpha, beta) = _two(law)
    product = flops / FLOPS_PER_TOKEN
    balance = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
    parameters = balance * product ** (beta / (alpha + beta))
    return Allocation(parameters, product / parameters)


def tokens_to_reach(law: PowerLaw, loss: float, parameters: float) -> float:
    """Return the number of tokens that a model of a given size needs to reach a
    loss.
    """
    (a, b), (alpha, beta) = _two(law)
    left = loss - law.floor - a / parameters**alpha
    if left <= 0:
        raise ValueError(
            f"A model of {parameters:.3g} parameters never reaches a loss of "
            f"{loss:.4g} by this law."
        )
    return (b / left) ** (1 / beta)


def _two(law: PowerLaw) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if len(law.factors) != 2:
        raise ValueError(
            "The law must have two scales, parameters and tokens; it has "
            f"{len(law.factors)}."
        )
    return law.factors, law.exponents
