"""Changing what is sampled: classifier-free guidance, starting from a noised image, and
inpainting around a known region.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .prediction import Denoised
from .samplers import Denoise, Model
from .schedule import NoisePath, Timestep

GuidanceWeight = float | int | Callable[[float], float | int]
"""A guidance weight: a number, or a function of the timestep."""


def classifier_free_guidance(
    unconditional: Float[Tensor, "batch *shape"],
    conditional: Float[Tensor, "batch *shape"],
    weight: float | int,
) -> Float[Tensor, "batch *shape"]:
    """Move from the unconditional prediction towards the conditional one, and with a
    weight above 1 beyond it.

    Args:
        unconditional: The prediction without the condition, or with a negative one.
        weight: 0 gives the unconditional prediction and 1 the conditional one (no
            guidance); larger weights exaggerate the difference. In the paper's
            notation, 0 means no guidance.

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance, equation 6,
        https://arxiv.org/abs/2207.12598, whose weight is this one minus 1

    >>> import torch
    >>> classifier_free_guidance(torch.tensor([1.0]), torch.tensor([3.0]), weight=2.0)
    tensor([5.])
    """
    return unconditional + weight * (conditional - unconditional)


@dataclass(frozen=True)
class Guided:
    """A model with classifier-free guidance: same interface, two forward passes.

    Attributes:
        model: Called as `model(x, t, condition)`, trained with and without a condition.
        weight: A number, or a function of the timestep t.
        negative: A condition to move away from; None for no condition.
    """

    model: Model
    weight: GuidanceWeight
    negative: object = None

    def __call__(
        self,
        x: Float[Tensor, "batch *shape"],
        t: Float[Tensor, "batch"],
        condition: object,
    ) -> Float[Tensor, "batch *shape"]:
        """Predict as the model does, guided towards the condition."""
        weight = self.weight(t[0].item()) if callable(self.weight) else self.weight
        conditional = self.model(x, t, condition)
        if weight == 1:
            return conditional  # the unconditional prediction has weight zero
        unconditional = self.model(x, t, self.negative)
        return classifier_free_guidance(unconditional, conditional, weight)


def partly_noised(
    path: NoisePath,
    x0: Float[Tensor, "batch *shape"],
    noise: Float[Tensor, "batch *shape"],
    strength: float,
    steps: int,
) -> tuple[Float[Tensor, "batch *shape"], Sequence[Timestep]]:
    """Prepare image-to-image: noise images part of the way, and return the timesteps
    that remain.

    Args:
        x0: The images, or their latents.
        strength: How far to go: 1 starts from pure noise, as when sampling a new image;
            values near 0 change almost nothing.
        steps: Number of steps from pure noise; the sampler takes the fraction
            `strength` of them.

    Raises:
        ValueError: If the strength is not above 0 and at most 1, or so small that no
            step is left.

    Source: Meng et al., SDEdit, section 3, https://arxiv.org/abs/2108.01073; the share
    of steps is diffusers'

    >>> from genai_tutorial.diffusion import linear_schedule
    >>> x0, noise = torch.ones(1, 2), torch.zeros(1, 2)
    >>> partly_noised(linear_schedule(), x0, noise, strength=0.4, steps=5)[1]
    [399, 199]
    """
    remaining = int(steps * strength)
    if not 0 < strength <= 1 or remaining < 1:
        raise ValueError(
            "strength must be above 0 and at most 1, and leave at least one of the "
            f"{steps} steps; got {strength}."
        )
    timesteps = path.timesteps(steps)[steps - remaining :]
    return path.add_noise(x0, noise, timesteps[0]), timesteps


@dataclass(frozen=True)
class KnownRegion:
    """A denoiser for inpainting: where the image is known, its prediction is the known
    image, at every step.

    The sampler does the rest, and at the end the known region equals the image exactly.
    It is an approximation: the model sees the known region only through its noise, so
    early on it makes less use of it than Bayes' rule would.

    Attributes:
        denoise: Predicts the unknown region.
        image: The known pixels; the others may hold any values.
        known: True where the image is known, for one image or for each of the batch.

    Raises:
        ValueError: If image and mask do not have matching shapes, or everything or
            nothing is known.

    Source: Lugmayr et al., RePaint, equation 8, https://arxiv.org/abs/2201.09865 (there
        the noisy image itself is replaced, here the model's prediction, so that it
        works with every sampler)
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
    def path(self) -> NoisePath:
        """The path from image to noise."""
        return self.denoise.path

    def __call__(self, x: Float[Tensor, "batch *shape"], t: Timestep) -> Denoised:
        """Predict image and noise in x at timestep t, except where they are known."""
        level = self.path.level(t)
        predicted = self.denoise(x, t)
        x0 = torch.where(self.known, self.image.to(x.dtype), predicted.x0)
        known_noise = (x - level.signal * x0) / level.noise
        return Denoised(x0, torch.where(self.known, known_noise, predicted.noise))
