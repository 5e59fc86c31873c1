"""Planning a run: scaling laws, which predict the loss of larger models and longer
runs from small ones, and the gradient noise scale, the batch size beyond which more
examples help little.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

FLOPS_PER_TOKEN = 6
"""Training operations per parameter and token: two in the forward pass, four in the
backward pass.
"""

DELTA = 1e-3
"""The error of a logarithm at which the Huber loss becomes linear."""

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
    >>> round(float(chinchilla([70e9, 1.4e12])), 2)  # the model of that name
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
    """The division of a compute budget between parameters and training tokens."""

    parameters: float
    tokens: float


def fit_power_law(
    scales: Float[np.ndarray, "run scale"],
    losses: Float[np.ndarray, " run"],
) -> PowerLaw:
    """Fit a power law to runs by minimizing the Huber loss between the logarithms of
    measured and predicted losses.

    The Huber loss is quadratic near zero and linear beyond `DELTA`, so that an outlier
    has little influence. The search starts from many points, because it can end in a
    local minimum.

    Args:
        scales: One row per run, for example its parameters, or its parameters and
            tokens.
        losses: The held-out loss of each run.

    Raises:
        ValueError: If a number is not above 0, or there are no more runs than unknowns.

    Source: Hoffmann et al., Training Compute-Optimal Large Language Models, section 3.3
    and appendix D.2
    """
    from scipy import optimize, special  # here, because they take a while to load

    (runs, count), unknowns = scales.shape, 1 + 2 * scales.shape[1]
    if not (scales > 0).all() or not (losses > 0).all():
        raise ValueError("scales and losses must be above 0.")
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
        slopes = np.clip(errors, -DELTA, DELTA)[:, None] * special.softmax(
            terms, axis=1
        )
        gradient = np.concatenate([slopes.sum(0), -(slopes[:, 1:] * places).sum(0)])
        # Divided by DELTA^2, so that the values are near 1 and the search can tell that
        # it has converged.
        return special.huber(DELTA, errors).sum() / DELTA**2, gradient / DELTA**2

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
    """Return the number of tokens that a model of a given size needs to reach a loss.

    A model smaller than the compute-optimal one needs more tokens for the same loss: it
    is more expensive to train, and cheaper to use.

    Raises:
        ValueError: If a model of this size never reaches the loss, or the law does not
            have the two scales parameters and tokens.

    >>> law = PowerLaw(1.69, (406.4, 410.7), (0.34, 0.28))
    >>> best = compute_optimal(law, flops=1e21)
    >>> goal = float(law([best.parameters, best.tokens]))
    >>> needed = tokens_to_reach(law, goal, best.parameters / 2)
    >>> round(needed / best.tokens, 2)  # half the size, 2.42 times the tokens
    2.42
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


@dataclass(frozen=True)
class GradientNoise:
    """The mean and the variance of the gradient, estimated from batches.

    Attributes:
        signal: The estimated squared norm of the gradient over all data.
        noise: The estimated variance of one example's gradient, summed over all
            parameters.
    """

    signal: float
    noise: float

    @property
    def scale(self) -> float:
        """The batch size at which signal and noise are equal (the simple noise scale).

        Far below it, doubling the batch size halves the number of steps; far above, it
        saves nothing.
        """
        if not self.signal > 0:
            raise ValueError(
                f"The signal is {self.signal:.3g}, lost in the noise: average over "
                "more or larger batches."
            )
        return self.noise / self.signal


def gradient_noise(
    model: nn.Module,
    batches: Iterable[Sequence[Tensor]],
    loss_fn: Callable[..., Tensor],
    micro_batches: int = 2,
) -> GradientNoise:
    """Compare the gradient of each batch with the gradients of its micro-batches.

    A gradient over B examples has an expected squared norm of signal + noise / B, so
    that two batch sizes give two equations for the two unknowns. Both are averaged over
    all batches; the model's gradients stay empty.

    Args:
        batches: The batches, each a tuple of tensors with the same number of rows.
        loss_fn: Called as `loss_fn(model, *batch)`; a mean over examples.
        micro_batches: Number of micro-batches per batch; must divide it.

    Raises:
        ValueError: If there are no batches, or `micro_batches` is less than 2 or does
            not divide them.

    Source: McCandlish et al., An Empirical Model of Large-Batch Training, appendix A.1,
        https://arxiv.org/abs/1812.06162
    """
    if micro_batches < 2:
        raise ValueError(
            "micro_batches must be at least 2, because two batch sizes are compared; "
            f"got {micro_batches}."
        )
    parameters = [
        parameter for parameter in model.parameters() if parameter.requires_grad
    ]
    signals, noises = [], []
    for batch in batches:
        large = len(batch[0])
        if large % micro_batches:
            raise ValueError(
                f"micro_batches must divide the batch; got {micro_batches=}, {large} "
                "rows."
            )
        small = large // micro_batches
        gradients = [
            torch.autograd.grad(
                loss_fn(model, *micro_batch),
                parameters,
                allow_unused=True,
                materialize_grads=True,
            )
            for micro_batch in zip(
                *(tensor.chunk(micro_batches) for tensor in batch), strict=True
            )
        ]
        small_square = sum(_square(gradient) for gradient in gradients) / micro_batches
        large_square = _square(
            [torch.stack(same).mean(0) for same in zip(*gradients, strict=True)]
        )
        signals.append((large * large_square - small * small_square) / (large - small))
        noises.append((small_square - large_square) / (1 / small - 1 / large))
    if not signals:
        raise ValueError("There are no batches to measure.")
    return GradientNoise(sum(signals) / len(signals), sum(noises) / len(noises))


def _square(gradient: Iterable[Tensor]) -> float:
    return sum(part.double().square().sum().item() for part in gradient)
