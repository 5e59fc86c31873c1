"""The sampling options of the models that draw digits."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class GANOptions:
    """The options of a generator that draws in one pass."""

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
    """The options of a diffusion model that is conditioned on labels."""

    steps: int
    guidance: float | int


@dataclass(frozen=True, kw_only=True)
class FamilyOptions:
    """No options: the family draws digits of any class."""


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """The options of a diffusion or flow matching model without labels."""

    steps: int
