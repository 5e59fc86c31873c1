"""Classifier-free guidance: say what the model would draw without the prompt, and go
away from that.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from genai_tutorial.diffusion.denoiser import Model


def classifier_free_guidance(
    without: Float[Tensor, "batch *shape"],
    given: Float[Tensor, "batch *shape"],
    weight: float | int,
) -> Float[Tensor, "batch *shape"]:
    """Go from the prediction without the condition towards the one with it, and with a
    weight above 1 beyond it.

    Args:
        without: The prediction without the condition, or with a negative one.
        given: The prediction with the condition.
        weight: 0 for the first, 1 for the second, which is no guidance, more to
            exaggerate the difference. In the paper's notation no guidance is 0.

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance, equation 6,
        https://arxiv.org/abs/2207.12598, whose weight is this one minus 1

    >>> import torch
    >>> classifier_free_guidance(torch.tensor([1.0]), torch.tensor([3.0]), weight=2.0)
    tensor([5.])
    """
    return without + weight * (given - without)


@dataclass(frozen=True)
class Guided:
    """A model with guidance is a model again: it goes into a `Denoiser` like any other,
    at twice the cost.

    Attributes:
        model: Called as `model(x, t, condition)`, trained now and then without a
            condition.
        weight: A number, where 1 is no guidance; or a function of the time t, for
            another weight at each step.
        negative: What the images should not show; None for what the model draws without
            a condition.
    """

    model: Model
    weight: float | int | Callable[[float], float | int]
    negative: object = None

    def __call__(
        self,
        x: Float[Tensor, "batch *shape"],
        t: Float[Tensor, "batch"],
        condition: object,
    ) -> Float[Tensor, "batch *shape"]:
        """Predict as the model does, guided towards the condition."""
        weight = self.weight(t[0].item()) if callable(self.weight) else self.weight
        given = self.model(x, t, condition)
        if weight == 1:
            return given  # the other half would be multiplied by zero
        return classifier_free_guidance(self.model(x, t, self.negative), given, weight)
