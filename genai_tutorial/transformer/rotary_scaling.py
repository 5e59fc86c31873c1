"""Scalings of rotary positions: how a model trained on short texts is made to read long
ones.

Beyond the trained length the slow pairs of features reach angles that no training text
had. Every scaling slows these pairs down, so that the longer text fits into known
angles. The linear one slows down all pairs alike; Llama 3's and YaRN's leave the fast
pairs, which tell neighbours apart.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LinearScaling:
    """Position interpolation: every pair turns `factor` times slower.

    Attributes:
        factor: How many times slower.

    Raises:
        ValueError: If the factor is below 1.

    Source: Chen et al., Extending Context Window of Large Language Models via Position
        Interpolation, equation 2, https://arxiv.org/abs/2306.15595
    """

    factor: float | int = 4

    def __post_init__(self):
        _check_factor(self.factor)

    @property
    def attention_factor(self) -> float:
        """What cosines and sines are multiplied by: nothing changes."""
        return 1.0

    def scale(
        self, frequencies: Float[Tensor, "pair"], base: float | int
    ) -> Float[Tensor, "pair"]:
        """Return the new radians a position of each pair of features."""
        return frequencies / self.factor


@dataclass(frozen=True)
class Llama3Scaling:
    """Llama 3.1's: pairs that turn fewer than `slow_turns` times in the trained context
    get `factor` times slower.

    Pairs that turn more than `fast_turns` times stay, and in between the change is
    gradual.

    Attributes:
        factor: How many times slower the slow pairs turn.
        original_context_length: The context that the model was trained with, in tokens.
        slow_turns: Below this many turns a pair is slow; others call it the low
            frequency factor.
        fast_turns: Above this many turns a pair is fast; others call it the high
            frequency factor.

    Raises:
        ValueError: If a number is out of range.

    Source: Grattafiori et al., The Llama 3 Herd of Models, section 3.4.2,
        https://arxiv.org/abs/2407.21783; the formula is that of Meta's code,
        https://github.com/meta-llama/llama-models
    """

    factor: float | int = 8
    original_context_length: int = 8192
    slow_turns: float | int = 1
    fast_turns: float | int = 4

    def __post_init__(self):
        _check(self)

    @property
    def attention_factor(self) -> float:
        """What cosines and sines are multiplied by: nothing changes."""
        return 1.0

    def scale(
        self, frequencies: Float[Tensor, "pair"], base: float | int
    ) -> Float[Tensor, "pair"]:
        """Return the new radians a position of each pair of features."""
        turns = self.original_context_length * frequencies / (2 * math.pi)
        kept = ((turns - self.slow_turns) / (self.fast_turns - self.slow_turns)).clamp(
            0, 1
        )
        return frequencies * kept + frequencies / self.factor * (1 - kept)


@dataclass(frozen=True)
class YarnScaling:
    """YaRN's: like Llama 3's, but gradual over the number of the pair, and with sharper
    attention.

    Attributes:
        factor: How many times slower the slow pairs turn.
        original_context_length: The context that the model was trained with, in tokens.
        slow_turns: The pair that turns this often in that context is the first to be
            slowed down in full (`beta_slow`).
        fast_turns: The pair that turns this often is the last to stay as it is
            (`beta_fast`).

    Raises:
        ValueError: If a number is out of range.

    Source: Peng et al., YaRN, sections 3.2 to 3.4, https://arxiv.org/abs/2309.00071
    """

    factor: float | int = 4
    original_context_length: int = 4096
    slow_turns: float | int = 1
    fast_turns: float | int = 32

    def __post_init__(self):
        _check(self)

    @property
    def attention_factor(self) -> float:
        """What cosines and sines are multiplied by, so that more keys do not blur the
        attention.
        """
        return 0.1 * math.log(self.factor) + 1.0

    def scale(
        self, frequencies: Float[Tensor, "pair"], base: float | int
    ) -> Float[Tensor, "pair"]:
        """Return the new radians a position of each pair of features."""
        pairs = len(frequencies)

        def pair_that_turns(times: float | int) -> float:
            return (
                pairs
                * math.log(self.original_context_length / (2 * math.pi * times))
                / math.log(base)
            )

        first = max(math.floor(pair_that_turns(self.fast_turns)), 0)
        last = min(math.ceil(pair_that_turns(self.slow_turns)), 2 * pairs - 1)
        numbers = torch.arange(
            pairs, dtype=frequencies.dtype, device=frequencies.device
        )
        slowed = ((numbers - first) / max(last - first, 1e-3)).clamp(0, 1)
        return frequencies * (1 - slowed) + frequencies / self.factor * slowed


RotaryScaling = LinearScaling | Llama3Scaling | YarnScaling


def _check_factor(factor: float | int) -> None:
    if not factor >= 1:
        raise ValueError(
            "factor must be at least 1, because positions can only be slowed down; "
            f"got {factor!r}."
        )


def _check(scaling: Llama3Scaling | YarnScaling) -> None:
    _check_factor(scaling.factor)
    length, slow, fast = (
        scaling.original_context_length,
        scaling.slow_turns,
        scaling.fast_turns,
    )
    if length < 1:
        raise ValueError(
            f"original_context_length must be at least 1 token, got {length!r}."
        )
    if not 0 < slow < fast:
        raise ValueError(
            f"slow_turns must be above 0 and below fast_turns; got {slow!r} and "
            f"{fast!r}."
        )
