"""What all samplers share: they walk through times, and give back each step."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.schedule import CLEAN, Level, Path, Time


class Step(NamedTuple):
    """What a sampler has after a step.

    Attributes:
        t: The time at which the model was asked.
        x: Where the step has led: the noisy image at the next time, in the end the
            sample.
        x0: What the model believed the clean image to be, at time t.
    """

    t: Time
    x: Float[Tensor, "batch *shape"]
    x0: Float[Tensor, "batch *shape"]


def final(steps: Iterable[Step]) -> Float[Tensor, "batch *shape"]:
    """Let a sampler run to its end, and return the samples.

    Raises:
        ValueError: If the sampler made no step.

    >>> x, x0 = torch.tensor([0.5]), torch.tensor([0.25])
    >>> final([Step(1, x, x0), Step(0, x0, x0)])
    tensor([0.2500])
    """
    last = None
    for last in steps:  # noqa: B007  (only the last one is wanted)
        pass
    if last is None:
        raise ValueError("The sampler made no step: give it at least one time.")
    return last.x


def walk(path: Path, times: Sequence[Time]) -> Iterator[tuple[Time, Level, Level]]:
    """Go through the times with the level at each and the level where the step leads;
    the last leads to a clean image.

    Raises:
        ValueError: If there are no times, or they do not fall.

    >>> from genai_tutorial.diffusion.schedule import NoiseSchedule
    >>> schedule = NoiseSchedule(torch.tensor([0.64, 0.36]))
    >>> [
    ...     (t, round(level.noise, 3), round(earlier.noise, 3))
    ...     for t, level, earlier in walk(schedule, [1, 0])
    ... ]
    [(1, 0.8, 0.6), (0, 0.6, 0.0)]
    """
    times = list(times)
    if not times or any(
        later <= earlier for later, earlier in itertools.pairwise(times)
    ):
        raise ValueError(
            "times must fall, from noise to image, and there must be at least one; "
            f"got {times}."
        )
    levels = [path.level(t) for t in times]
    yield from zip(times, levels, [*levels[1:], CLEAN], strict=True)


def fresh_noise(
    x: Float[Tensor, "batch *shape"], generator: torch.Generator
) -> Float[Tensor, "batch *shape"]:
    """Return standard normal noise of the shape of x."""
    return torch.randn(
        x.shape, generator=generator, device=generator.device, dtype=x.dtype
    ).to(x.device)
