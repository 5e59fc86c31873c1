"""Classifier-free guidance: push the prediction away from the unconditional one."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from .denoiser import Model

Weight = float | int | Callable[[float], float | int]
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
        conditional: The prediction with the condition.
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
    weight: Weight
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
