"""DPM-Solver++(2M): remember the last guess, and lean on how it has changed."""

import math
from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.denoiser import Denoise
from genai_tutorial.diffusion.sampling import Step, walk
from genai_tutorial.diffusion.schedule import Level, Time


def dpm_solver(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], times: Sequence[Time]
) -> Iterator[Step]:
    """Solve the probability-flow ODE with the guesses of the last two steps; each step
    asks the model once.

    Measured by the log-ratio of signal to noise, lambda = log(a / b), the ODE has an
    exact solution where the guessed image does not change during a step. It does
    change, so extend the change of the last step into this one. The first step has no
    last one, and the last step is infinitely long in lambda: those two use one guess,
    as DDIM does.

    Args:
        denoise: Guesses the clean image.
        x: Noise to begin with, or a noised image at `times[0]`.
        times: When the model is asked, from noise to image, for example
            `path.times(20)`.

    Yields:
        Each step; the last one holds the samples.

    Source: Lu et al., DPM-Solver++: Fast Solver for Guided Sampling of Diffusion
        Probabilistic Models, algorithm 2, https://arxiv.org/abs/2211.01095
    """
    previous, previous_length = None, 0.0
    for t, level, earlier in walk(denoise.path, times):
        x0 = denoise(x, t).x0
        length = _log_ratio(earlier) - _log_ratio(level)
        guess = x0
        if previous is not None and earlier.noise > 0:
            guess = x0 + (x0 - previous) * length / (2 * previous_length)
        # expm1(-length) is -1 in the last step, which leaves the guess alone.
        x = (
            earlier.noise / level.noise * x
            - earlier.signal * math.expm1(-length) * guess
        )
        previous, previous_length = x0, length
        yield Step(t, x, x0)


def _log_ratio(level: Level) -> float:
    """lambda = log(signal / noise), with infinities at both ends of the path."""
    if level.signal == 0:
        return -math.inf
    return math.log(level.signal / level.noise) if level.noise > 0 else math.inf
