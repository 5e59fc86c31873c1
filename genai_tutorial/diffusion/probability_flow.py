"""The ODE behind diffusion: Euler and Heun follow the flow from noise to image.

Divide a noisy image x = a x0 + b noise by a: y = x0 + sigma * noise, with sigma = b /
a, the noise for each unit of image. In these coordinates the right-hand side of the
probability-flow ODE is a single word:

    dy / dsigma = noise        (the noise that the model believes to be in y)

All that is left is how to solve it.
"""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.denoiser import Denoise
from genai_tutorial.diffusion.sampling import Step, walk
from genai_tutorial.diffusion.schedule import Level, NoiseSchedule, Time


def euler(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], times: Sequence[Time]
) -> Iterator[Step]:
    """Follow the direction at the beginning of each step. On any path, this is DDIM
    without randomness.

    Args:
        denoise: Guesses the noise.
        x: Noise to begin with, or a noised image at `times[0]`.
        times: When the model is asked, from noise to image; `karras_times` suits small
            numbers of steps.

    Yields:
        Each step; the last one holds the samples.

    Raises:
        ValueError: If the first time is pure noise, so that sigma is infinite; use
            `ddim`, which can begin there.

    Source: Karras et al., Elucidating the Design Space of Diffusion-Based Generative
        Models, equation 1 and algorithm 1 without its correction,
        https://arxiv.org/abs/2206.00364
    """
    for t, level, earlier in walk(denoise.path, times):
        sigma, lower = _sigma(level), _sigma(earlier)
        x0, noise = denoise(x, t)
        x = earlier.signal * (x / level.signal + (lower - sigma) * noise)
        yield Step(t, x, x0)


def heun(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], times: Sequence[Time]
) -> Iterator[Step]:
    """Try Euler's step, look at the direction at its end too, and go in the mean of
    both.

    Each step but the last asks the model twice: `n` times cost `2 n - 1` calls. The
    last step, to a clean image, is Euler's, because there is no direction without
    noise.

    Args:
        denoise: Guesses the noise.
        x: Noise to begin with, or a noised image at `times[0]`.
        times: Where the steps begin, from noise to image.

    Yields:
        Each step; the last one holds the samples.

    Raises:
        ValueError: If the first time is pure noise, so that sigma is infinite.

    Source: Karras et al., Elucidating the Design Space of Diffusion-Based Generative
        Models, algorithm 1, https://arxiv.org/abs/2206.00364
    """
    following = [*list(times)[1:], None]
    for (t, level, earlier), next_t in zip(
        walk(denoise.path, times), following, strict=True
    ):
        sigma, lower = _sigma(level), _sigma(earlier)
        x0, noise = denoise(x, t)
        start = x / level.signal
        x = earlier.signal * (start + (lower - sigma) * noise)
        if next_t is not None:
            noise_there = denoise(x, next_t).noise
            x = earlier.signal * (start + (lower - sigma) * (noise + noise_there) / 2)
        yield Step(t, x, x0)


def karras_times(
    schedule: NoiseSchedule, steps: int, rho: float = 7.0
) -> Sequence[Time]:
    """Time for an ODE solver that lie closer together where there is little noise, and
    where the flow bends most.

    Args:
        schedule: Between whose smallest and largest sigma the times lie.
        steps: How many.
        rho: With 1 the sigmas are evenly spaced; the larger, the more of them are
            small.

    Raises:
        ValueError: If `steps` is below 2, or the schedule ends with pure noise.

    Source: Karras et al., Elucidating the Design Space of Diffusion-Based Generative
        Models, equation 5, https://arxiv.org/abs/2206.00364
    """
    if steps < 2:
        raise ValueError(
            "steps must be at least 2, the largest sigma and the smallest, got "
            f"{steps}."
        )
    _sigma(schedule.level(len(schedule) - 1))
    smallest, largest = (
        schedule.sigmas[0].item() ** (1 / rho),
        schedule.sigmas[-1].item() ** (1 / rho),
    )
    sigmas = [
        (largest + k / (steps - 1) * (smallest - largest)) ** rho for k in range(steps)
    ]
    return [schedule.time_of(sigma) for sigma in sigmas]


def _sigma(level: Level) -> float:
    if level.signal == 0:
        raise ValueError(
            "This time is pure noise, with an infinite sigma, where Euler and Heun "
            "cannot begin: "
            "use ddim, ddpm or dpm_solver, or begin one step later."
        )
    return level.noise / level.signal
