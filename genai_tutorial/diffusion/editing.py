"""Editing with any sampler: begin with a noised image, or keep a part of it and draw
the rest so that it fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from genai_tutorial.diffusion.denoiser import Denoise
from genai_tutorial.diffusion.prediction import Denoised
from genai_tutorial.diffusion.schedule import Path, Time


def partly_noised(
    path: Path,
    x0: Float[Tensor, "batch *shape"],
    noise: Float[Tensor, "batch *shape"],
    strength: float,
    steps: int,
) -> tuple[Float[Tensor, "batch *shape"], Sequence[Time]]:
    """Where image-to-image begins: not with pure noise, but with an image that is
    noised to some way along the path.

    Args:
        path: The way into noise.
        x0: The images, or their latents.
        noise: Standard normal, of the same shape.
        strength: How far to go: 1 begins with as much noise as drawing from nothing,
            near 0 changes hardly anything.
        steps: How many steps the sampler would take from pure noise; it takes this
            share of them.

    Returns:
        The noised images and the times that are left, both for a sampler.

    Raises:
        ValueError: If the strength is not above 0 and at most 1, or so small that no
            step is left.

    Source: Meng et al., SDEdit, section 3, https://arxiv.org/abs/2108.01073; the share
    of steps is diffusers'

    >>> from genai_tutorial.diffusion import linear_schedule
    >>> x, times = partly_noised(
    ...     linear_schedule(),
    ...     torch.ones(1, 2),
    ...     torch.zeros(1, 2),
    ...     strength=0.4,
    ...     steps=5,
    ... )
    >>> times
    [399, 199]
    """
    kept = int(steps * strength)
    if not 0 < strength <= 1 or kept < 1:
        raise ValueError(
            "strength must be above 0 and at most 1, and leave at least one of the "
            f"{steps} steps; got {strength}."
        )
    times = path.times(steps)[steps - kept :]
    return path.add_noise(x0, noise, times[0]), times


@dataclass(frozen=True)
class KnownRegion:
    """A denoiser that need not guess where the image is known: there it answers with
    the image, at every step.

    The sampler does the rest. In the known region it draws the noisy image as the path
    says; the model sees that, and makes what lies beside it fit. In the end, the known
    region is the image's, to the last digit.

    It is a shortcut: the model sees the known region only through its noise, so that
    early on it takes less notice of it than Bayes' rule would. Where pixels far apart
    depend on each other, the drawn part can miss the known one.

    Attributes:
        denoise: Guesses where nothing is known.
        image: The known pixels; the others may hold anything.
        known: True where the image is known, for one image or for each of the batch.

    Raises:
        ValueError: If image and mask do not fit together, or everything or nothing is
            known.

    Source: Lugmayr et al., RePaint, equation 8, https://arxiv.org/abs/2201.09865 (there
        the noisy image itself is put in place, here what the model says about it, so
        that it works with every sampler)
    """

    denoise: Denoise
    image: Float[Tensor, "*image"]
    known: Bool[Tensor, "*mask"]

    def __post_init__(self):
        try:
            torch.broadcast_shapes(self.image.shape, self.known.shape)
        except RuntimeError as error:
            raise ValueError(
                f"known must fit the image, of shape {tuple(self.image.shape)}, got "
                f"{tuple(self.known.shape)}."
            ) from error
        if self.known.all() or not self.known.any():
            raise ValueError(
                "known must be True for some pixels and False for others: those are "
                "drawn."
            )

    @property
    def path(self) -> Path:
        """The way into noise."""
        return self.denoise.path

    def __call__(self, x: Float[Tensor, "batch *shape"], t: Time) -> Denoised:
        """Guess the image and the noise in x, which is at time t, where they are not
        known.
        """
        signal, strength = self.path.level(t)
        parts = self.denoise(x, t)
        x0 = torch.where(self.known, self.image.to(x.dtype), parts.x0)
        noise = torch.where(self.known, (x - signal * x0) / strength, parts.noise)
        return Denoised(x0, noise)
