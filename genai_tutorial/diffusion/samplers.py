"""Samplers: DDPM, DDIM and DPM-Solver++, and what they have in common.

A denoiser splits a noisy image into a predicted image and predicted noise; a sampler
recombines the two at a lower noise level, step by step.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .prediction import Denoised, Prediction
from .schedule import CLEAN, NoiseLevel, NoisePath, Timestep

Model = Callable[..., Float[Tensor, "batch *shape"]]
"""Called as `model(x, t, condition)`: noisy images, a timestep for each, and their
labels or texts (or None).
"""


@runtime_checkable
class Denoise(Protocol):
    """The interface of a denoiser: a path, and a prediction of image and noise."""

    @property
    def path(self) -> NoisePath:
        """The path from image to noise."""
        ...

    def __call__(self, x: Float[Tensor, "batch *shape"], t: Timestep) -> Denoised:
        """Predict the image and the noise in x, which is at timestep t."""
        ...


@dataclass(frozen=True)
class Denoiser:
    """A network with the path and the prediction type it was trained with.

    Attributes:
        condition: Passed to the model unchanged.
        limit: The largest absolute value of a clean image; predicted images are clipped
            to it. None for no limit.
    """

    model: Model
    path: NoisePath
    prediction: Prediction
    condition: object = None
    limit: float | None = None

    @torch.no_grad()
    def __call__(self, x: Float[Tensor, "batch *shape"], t: Timestep) -> Denoised:
        """Predict the image and the noise in x, which is at timestep t."""
        level = self.path.level(t)
        timesteps = torch.full((len(x),), float(t), dtype=x.dtype, device=x.device)
        output = self.model(x, timesteps, self.condition)
        denoised = self.prediction.to_denoised(x, output, level)
        if self.limit is None:
            return denoised
        x0 = denoised.x0.clamp(-self.limit, self.limit)
        return Denoised(x0, (x - level.signal * x0) / level.noise)


class Step(NamedTuple):
    """The result of one sampling step.

    Attributes:
        t: The timestep at which the model was called.
        x: The noisy image at the next timestep; after the last step, the sample.
        x0: The model's prediction of the clean image at timestep t.
    """

    t: Timestep
    x: Float[Tensor, "batch *shape"]
    x0: Float[Tensor, "batch *shape"]


Sampler = Callable[..., Iterator[Step]]
"""Called as `sampler(denoise, x, timesteps)`: `ddim`, `dpm_solver`, `flow_euler` ..."""


def last_sample(steps: Iterable[Step]) -> Float[Tensor, "batch *shape"]:
    """Run a sampler to its end and return the samples.

    Raises:
        ValueError: If the sampler made no step.

    >>> x, x0 = torch.tensor([0.5]), torch.tensor([0.25])
    >>> last_sample([Step(1, x, x0), Step(0, x0, x0)])
    tensor([0.2500])
    """
    last = None
    for last in steps:  # noqa: B007  (only the last one is wanted)
        pass
    if last is None:
        raise ValueError("The sampler made no step: give it at least one timestep.")
    return last.x


def level_pairs(
    path: NoisePath, timesteps: Sequence[Timestep]
) -> Iterator[tuple[Timestep, NoiseLevel, NoiseLevel]]:
    """Yield each timestep with its noise level and the level at the end of its step;
    the last step ends at a clean image.
    """
    timesteps = list(timesteps)
    if not timesteps or any(
        later <= earlier for later, earlier in itertools.pairwise(timesteps)
    ):
        raise ValueError(
            "timesteps must decrease, from noise to image, and there must be at least "
            f"one; got {timesteps}."
        )
    levels = [path.level(t) for t in timesteps]
    yield from zip(timesteps, levels, [*levels[1:], CLEAN], strict=True)


def noise_like(
    x: Float[Tensor, "batch *shape"], generator: torch.Generator
) -> Float[Tensor, "batch *shape"]:
    """Return standard normal noise of the shape of x."""
    return torch.randn(
        x.shape, generator=generator, device=generator.device, dtype=x.dtype
    ).to(x.device)


class Posterior(NamedTuple):
    """The normal distribution of an earlier image, given a later one and the clean one.

    Its mean is `x0_coefficient * x0 + x_coefficient * x`, its standard deviation is
    `deviation`.
    """

    x0_coefficient: float
    x_coefficient: float
    deviation: float


def posterior(later: NoiseLevel, earlier: NoiseLevel) -> Posterior:
    """Compute q(x_s | x_t, x_0), the distribution of the image at an earlier timestep
    s, given the noisy image at t and the clean one.

    From s to t, the image was multiplied by `decay` and received fresh noise of
    variance `beta`. Bayes' rule then gives a normal distribution. s need not be the
    timestep just before t: a sampler may skip some.

    At s = clean, the mean is x_0 itself and the standard deviation is 0: the last step
    adds no noise.

    Args:
        later: The noise level at t.
        earlier: The noise level at s, with less noise.

    Raises:
        ValueError: If the earlier level does not have less noise.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, equations 6 and 7,
    https://arxiv.org/abs/2006.11239

    >>> posterior(later=NoiseLevel(0.6, 0.8), earlier=NoiseLevel(1.0, 0.0))
    Posterior(x0_coefficient=1.0, x_coefficient=0.0, deviation=0.0)
    """
    decay = later.signal / earlier.signal
    beta = later.noise**2 - (decay * earlier.noise) ** 2
    if not beta > 0:
        raise ValueError(
            f"The earlier level must have less noise than the later one, got {earlier} "
            f"and {later}."
        )
    return Posterior(
        x0_coefficient=earlier.signal * beta / later.noise**2,
        x_coefficient=decay * earlier.noise**2 / later.noise**2,
        deviation=math.sqrt(beta) * earlier.noise / later.noise,
    )


def ddpm(
    denoise: Denoise,
    x: Float[Tensor, "batch *shape"],
    timesteps: Sequence[Timestep],
    generator: torch.Generator,
) -> Iterator[Step]:
    """Draw each earlier image from q(x_s | x_t, x_0), with the model's prediction
    instead of x_0.

    Args:
        x: Initial noise, or a noised image at `timesteps[0]`.
        timesteps: The timesteps at which the model is called, from noise to image, for
            example `path.timesteps(1000)`.
        generator: Random generator for the noise of each step.

    Yields:
        Each step; the last one holds the samples, `last_sample(ddpm(...))`.

    Source: Ho et al., Denoising Diffusion Probabilistic Models, algorithm 2,
        https://arxiv.org/abs/2006.11239, with the smaller of its two variances
    """
    for t, level, earlier in level_pairs(denoise.path, timesteps):
        x0 = denoise(x, t).x0
        q = posterior(level, earlier)
        x = q.x0_coefficient * x0 + q.x_coefficient * x
        if q.deviation > 0:
            x = x + q.deviation * noise_like(x, generator)
        yield Step(t, x, x0)


def ddim(
    denoise: Denoise,
    x: Float[Tensor, "batch *shape"],
    timesteps: Sequence[Timestep],
    *,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """Recombine the predicted image and the predicted noise at the next noise level.

    With eta = 0 nothing is random: the same noise always becomes the same image. With
    eta = 1 as much of the noise is replaced by fresh noise as in DDPM.

    Args:
        x: Initial noise, or a noised image at `timesteps[0]`.
        timesteps: The timesteps at which the model is called, from noise to image.
        eta: The standard deviation of the fresh noise as a fraction of DDPM's, from 0
            to 1.
        generator: Random generator for that noise; required if eta is above 0.

    Raises:
        ValueError: If eta is not from 0 to 1, or is above 0 without a generator.

    Source: Song, Meng and Ermon, Denoising Diffusion Implicit Models, equations 12 and
        16, https://arxiv.org/abs/2010.02502
    """
    if not 0 <= eta <= 1:
        raise ValueError(
            f"eta must be from 0 (no randomness) to 1 (as much as DDPM), got {eta}."
        )
    if eta > 0 and generator is None:
        raise ValueError(
            f"eta is {eta}, so that noise is drawn at every step: give a generator."
        )
    for t, level, earlier in level_pairs(denoise.path, timesteps):
        x0, noise = denoise(x, t)
        sigma = eta * posterior(level, earlier).deviation
        x = earlier.signal * x0 + math.sqrt(earlier.noise**2 - sigma**2) * noise
        if sigma > 0:
            x = x + sigma * noise_like(x, generator)
        yield Step(t, x, x0)


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
        x: Initial noise, or a noised image at `timesteps[0]`.
        timesteps: The timesteps at which the model is called, from noise to image.

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
