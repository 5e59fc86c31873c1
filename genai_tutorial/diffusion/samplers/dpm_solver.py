"""DPM-Solver++(2M): a second-order solver that extrapolates its predictions."""

import math
from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from ..noise_path import NoiseLevel, Timestep
from .denoiser import Denoise
from .sampling import Step, level_pairs


def dpm_solver(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], timesteps: Sequence[Timestep]
) -> Iterator[Step]:
    """Solve the probability-flow ODE with the predictions of the last two steps; each
    step calls the model once.

    In terms of the log-ratio of signal to noise, lambda = log(a / b), the ODE has an
    exact solution if the predicted image does not change during a step. It does change,
    so the solver extrapolates the change from the previous step. The first step has no
    previous one, and the last step is infinitely long in lambda: those two use one
    prediction, as DDIM does.

    Args:
        denoise: Predicts the clean image.
        x: Initial noise, or a noised image at `timesteps[0]`.
        timesteps: The timesteps at which the model is called, from noise to image, for
            example `path.timesteps(20)`.

    Yields:
        Each step; the last one holds the samples.

    Source: Lu et al., DPM-Solver++: Fast Solver for Guided Sampling of Diffusion
        Probabilistic Models, algorithm 2, https://arxiv.org/abs/2211.01095
    """
    previous_x0, previous_h = None, 0.0
    for t, level, earlier in level_pairs(denoise.path, timesteps):
        x0 = denoise(x, t).x0
        h = _log_ratio(earlier) - _log_ratio(level)
        extrapolated = x0
        if previous_x0 is not None and earlier.noise > 0:
            extrapolated = x0 + (x0 - previous_x0) * h / (2 * previous_h)
        # expm1(-h) is -1 in the last step, which leaves the prediction alone.
        x = (
            earlier.noise / level.noise * x
            - earlier.signal * math.expm1(-h) * extrapolated
        )
        previous_x0, previous_h = x0, h
        yield Step(t, x, x0)


def _log_ratio(level: NoiseLevel) -> float:
    """lambda = log(signal / noise), with infinities at both ends of the path."""
    if level.signal == 0:
        return -math.inf
    return math.log(level.signal / level.noise) if level.noise > 0 else math.inf
