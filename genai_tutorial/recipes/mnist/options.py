"""The sampling options of the models that draw digits."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class GANOptions:
    """The options of a generator that draws in one pass.

    Attributes:
        digit: The digit to draw; None for all ten in turn.

    Raises:
        ValueError: If there is no such digit.
    """

    digit: int | None = None

    def __post_init__(self):
        if self.digit is not None and not 0 <= self.digit <= 9:
            raise ValueError(f"digit must be from 0 to 9, got {self.digit}.")

    def labels(self, count: int) -> Int[Tensor, "count"]:
        """Return the label of each of `count` images."""
        if self.digit is None:
            return torch.arange(count) % 10
        return torch.full((count,), self.digit)


@dataclass(frozen=True, kw_only=True)
class DigitOptions(GANOptions):
    """The options of a diffusion model that is conditioned on labels.

    Attributes:
        steps: The number of steps of the sampler.
        guidance: The weight of classifier-free guidance; 1 for none.
    """

    steps: int
    guidance: float | int


@dataclass(frozen=True, kw_only=True)
class FamilyOptions:
    """No options: the family draws digits of any class."""


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """The options of a diffusion or flow matching model without labels.

    Attributes:
        steps: The number of steps of the sampler.
    """

    steps: int
