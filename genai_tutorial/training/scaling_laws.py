"""Scaling laws: what a larger model, or more text, will do to the loss, told from small
runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from genai_tutorial.runtime.optional_imports import require

FLOPS_A_TOKEN = 6
"""For each weight and token of training: two for the way forward, four for the way
back.
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
        floor: What no scale takes away: the entropy of the text, as far as this kind of
            model can know.
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
    """How a budget of compute is spent.

    Attributes:
        parameters: The size of the model.
        tokens: How many tokens it reads.
    """

    parameters: float
    tokens: float


def fit_power_law(
    scales: Float[np.ndarray, "run scale"],
    losses: Float[np.ndarray, " run"],
    delta: float = 1e-3,
) -> PowerLaw:
    """Fits a power law to runs: the least Huber loss between the logarithms of measured
    and predicted losses.

    The Huber loss is square near zero and straight beyond `delta`, so that a run gone
    wrong does not bend the law. The search starts from many places, because it can stop
    short of the best.

    Args:
        scales: One row for each run, for example its parameters, or its parameters and
            its tokens.
        losses: The held-out loss of each run.
        delta: Where the Huber loss becomes straight.

    Raises:
        ImportError: If scipy is not installed.
        ValueError: If a number is not above 0, or there are no more runs than unknowns.

    Source: Hoffmann et al., Training Compute-Optimal Large Language Models, section 3.3
    and appendix D.2
    """
    optimize, special = (
        require("scipy.optimize", extra="text"),
        require("scipy.special", extra="text"),
    )
    (runs, count), unknowns = scales.shape, 1 + 2 * scales.shape[1]
    if not (scales > 0).all() or not (losses > 0).all() or delta <= 0:
        raise ValueError("scales, losses and delta must be above 0.")
    if runs <= unknowns:
        raise ValueError(
            f"A law with {unknowns} unknowns needs more than {unknowns} runs, got "
            f"{runs}."
        )
    # from here, a factor and its exponent can be told apart
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
        # Over delta^2, so that the numbers are near 1 and the search knows when it has
        # arrived.
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
    """Return the model and the number of tokens that give the lowest loss for so much
    compute, 6 x N x D.

    Raises:
        ValueError: If the law is not one of parameters and tokens.

    Source: Hoffmann et al., equation 4 (there from the law's derivative along a curve
    of equal compute)

    >>> best = compute_optimal(
    ...     PowerLaw(1.69, (406.4, 410.7), (0.34, 0.28)), flops=5.88e23
    ... )
    >>> f"{best.parameters:.2g} parameters, {best.tokens:.2g} tokens"
    '3.2e+10 parameters, 3e+12 tokens'
    """
    (a, b), (alpha, beta) = _two(law)
    product = flops / FLOPS_A_TOKEN
    balance = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
    parameters = balance * product ** (beta / (alpha + beta))
    return Allocation(parameters, product / parameters)


def tokens_to_reach(law: PowerLaw, loss: float, parameters: float) -> float:
    """Return how many tokens a model of one size needs to reach a loss.

    A model smaller than the optimal one reaches the same loss on more tokens: dearer to
    train, cheaper to use.

    Raises:
        ValueError: If a model of this size never reaches it, or the law is not one of
            parameters and tokens.

    >>> law = PowerLaw(1.69, (406.4, 410.7), (0.34, 0.28))
    >>> best = compute_optimal(law, flops=1e21)
    >>> tokens = tokens_to_reach(
    ...     law, float(law([best.parameters, best.tokens])), best.parameters / 2
    ... )
    >>> (
    ...     round(tokens / best.tokens, 2),
    ...     round(tokens / best.tokens / 2, 2),
    ... )  # twice as small: tokens, training compute
    (2.42, 1.21)
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
