"""The parts that all samplers share: the loop over timesteps, and the record of each
step.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..noise_path import CLEAN, NoiseLevel, NoisePath, Timestep


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
