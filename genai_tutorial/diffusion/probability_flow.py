"""The probability-flow ODE: Euler's and Heun's methods, from noise to image.

Divide a noisy image x = a x0 + b noise by a: y = x0 + sigma * noise, with sigma = b /
a, the noise per unit of image. In these coordinates the right-hand side of the
probability-flow ODE is just the noise that the model predicts:

    dy / dsigma = noise

Euler's and Heun's methods solve it with different accuracy.
"""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from .samplers import Denoise, Step, level_pairs
from .schedule import NoiseLevel, NoiseSchedule, Timestep


def euler(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], timesteps: Sequence[Timestep]
) -> Iterator[Step]:
    """Follow the direction at the beginning of each step.

    Source: Karras et al., Elucidating the Design Space of Diffusion-Based Generative
        Models, equation 1 and algorithm 1 without its correction,
        https://arxiv.org/abs/2206.00364
    """
    for t, level, earlier in level_pairs(denoise.path, timesteps):
        sigma, next_sigma = _sigma(level), _sigma(earlier)
        x0, noise = denoise(x, t)
        x = earlier.signal * (x / level.signal + (next_sigma - sigma) * noise)
        yield Step(t, x, x0)


def heun(
    denoise: Denoise, x: Float[Tensor, "batch *shape"], timesteps: Sequence[Timestep]
) -> Iterator[Step]:
    """Take Euler's step, evaluate the direction at its end too, and step again with the
    mean of both.

    Source: Karras et al., Elucidating the Design Space of Diffusion-Based Generative
        Models, algorithm 1, https://arxiv.org/abs/2206.00364
    """
    next_timesteps = [*list(timesteps)[1:], None]
    for (t, level, earlier), next_t in zip(
        level_pairs(denoise.path, timesteps), next_timesteps, strict=True
    ):
        sigma, next_sigma = _sigma(level), _sigma(earlier)
        x0, noise = denoise(x, t)
        y = x / level.signal
        x = earlier.signal * (y + (next_sigma - sigma) * noise)
        if next_t is not None:
            next_noise = denoise(x, next_t).noise
            x = earlier.signal * (y + (next_sigma - sigma) * (noise + next_noise) / 2)
        yield Step(t, x, x0)


def karras_timesteps(
    schedule: NoiseSchedule, steps: int, rho: float = 7.0
) -> Sequence[Timestep]:
    """Return timesteps for an ODE solver that are closer together at low noise, where
    the trajectory curves most.

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
    return [schedule.timestep_of(sigma) for sigma in sigmas]


def _sigma(level: NoiseLevel) -> float:
    if level.signal == 0:
        raise ValueError(
            "This timestep is pure noise, with an infinite sigma, where Euler and Heun "
            "cannot begin: use ddim, ddpm or dpm_solver, or begin one step later."
        )
    return level.noise / level.signal
