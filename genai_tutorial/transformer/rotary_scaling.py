"""Scaling of rotary positions, for reading texts longer than those in training.

Beyond the trained context the slow pairs of features reach angles that never occurred
during training. Each scaling lowers their frequencies, so that the angles of the longer
text stay in the trained range. Linear scaling lowers all frequencies alike; NTK-aware
scaling raises the base, so that the fast pairs, which distinguish neighbouring
positions, change little; those of Llama 3 and YaRN leave them unchanged.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LinearScaling:
    """Position interpolation: divides all frequencies by `factor`.

    Attributes:
        factor: The ratio of the new context to the trained one.

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
        """Factor of cosines and sines: 1, no change."""
        return 1.0

    def scale(
        self, frequencies: Float[Tensor, "pair"], base: float | int
    ) -> Float[Tensor, "pair"]:
        """Return the new frequency of each pair, in radians per position."""
        return frequencies / self.factor


@dataclass(frozen=True)
class NTKScaling:
    """NTK-aware scaling: a larger base, so that the slowest pair turns `factor` times
    slower and the fastest as before.

    Attributes:
        factor: The ratio of the new context to the trained one.

    Raises:
        ValueError: If the factor is below 1.

    Source: Peng et al., YaRN, section 3.1 (which names its origin, a
        post by bloc97), https://arxiv.org/abs/2309.00071

    >>> NTKScaling(factor=4).scale(torch.tensor([1.0, 0.1, 0.01]), base=1000)
    tensor([1.0000, 0.0500, 0.0025])
    """

    factor: float | int = 4

    def __post_init__(self):
        _check_factor(self.factor)

    @property
    def attention_factor(self) -> float:
        """Factor of cosines and sines: 1, no change."""
        return 1.0

    def scale(
        self, frequencies: Float[Tensor, "pair"], base: float | int
    ) -> Float[Tensor, "pair"]:
        """Return the new frequency of each pair, in radians per position."""
        last = max(len(frequencies) - 1, 1)
        pairs = torch.arange(
            len(frequencies), dtype=frequencies.dtype, device=frequencies.device
        )
        return frequencies * float(self.factor) ** (-pairs / last)


@dataclass(frozen=True)
class DynamicNTKScaling:
    """NTK-aware scaling that grows with the text: none up to the trained context, then
    as much as its length needs.

    Attributes:
        length: The length of the text, in tokens.
        original_context_length: The trained context, in tokens.
        factor: 1 scales by the ratio of `length` to the trained context; more, for
            models trained with it, by `factor` times as much beyond the trained
            context.

    Raises:
        ValueError: If the factor is below 1, or a length below 1.

    Source: Peng et al., YaRN, section 3.3 (dynamic scaling),
        https://arxiv.org/abs/2309.00071; the formula is that of the transformers
        library

    >>> DynamicNTKScaling(length=8192, original_context_length=4096).ratio
    2.0
    """

    length: int
    original_context_length: int = 4096
    factor: float | int = 1

    def __post_init__(self):
        _check_factor(self.factor)
        if self.length < 1 or self.original_context_length < 1:
            raise ValueError(
                "length and original_context_length must be at least 1 token; got "
                f"{self.length!r} and {self.original_context_length!r}."
            )

    @property
    def attention_factor(self) -> float:
        """Factor of cosines and sines: 1, no change."""
        return 1.0

    @property
    def ratio(self) -> float:
        """The factor by which the slowest pair turns slower."""
        stretch = max(self.length / self.original_context_length, 1.0)
        return self.factor * stretch - (self.factor - 1)

    def scale(
        self, frequencies: Float[Tensor, "pair"], base: float | int
    ) -> Float[Tensor, "pair"]:
        """Return the new frequency of each pair, in radians per position."""
        return NTKScaling(self.ratio).scale(frequencies, base)


@dataclass(frozen=True)
class Llama3Scaling:
    """The scaling of Llama 3.1: divides the frequencies of slow pairs by `factor`.

    Slow pairs make fewer than `slow_turns` turns in the trained context. Pairs that
    make more than `fast_turns` turns are unchanged, and in between the change is
    gradual.

    Attributes:
        factor: The divisor of the slow pairs' frequencies.
        original_context_length: The trained context, in tokens.
        slow_turns: Pairs with fewer turns are slow (`low_freq_factor` elsewhere).
        fast_turns: Pairs with more turns are fast (`high_freq_factor` elsewhere).

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
        """Factor of cosines and sines: 1, no change."""
        return 1.0

    def scale(
        self, frequencies: Float[Tensor, "pair"], base: float | int
    ) -> Float[Tensor, "pair"]:
        """Return the new frequency of each pair, in radians per position."""
        turns = self.original_context_length * frequencies / (2 * math.pi)
        kept = ((turns - self.slow_turns) / (self.fast_turns - self.slow_turns)).clamp(
            0, 1
        )
        return frequencies * kept + frequencies / self.factor * (1 - kept)


@dataclass(frozen=True)
class YarnScaling:
    """The scaling of YaRN: like Llama 3.1's, but with a ramp that is linear in the
    index of the pair, and with sharper attention.

    Attributes:
        factor: The divisor of the slow pairs' frequencies.
        original_context_length: The trained context, in tokens.
        slow_turns: The ramp ends, with frequencies divided by `factor`, at the pair
            that makes this many turns in the trained context (`beta_slow`).
        fast_turns: The ramp begins, with frequencies unchanged, at the pair that makes
            this many turns (`beta_fast`).

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
        """Factor of cosines and sines, which keeps attention sharp over more keys."""
        return 0.1 * math.log(self.factor) + 1.0

    def scale(
        self, frequencies: Float[Tensor, "pair"], base: float | int
    ) -> Float[Tensor, "pair"]:
        """Return the new frequency of each pair, in radians per position."""
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


RotaryScaling = (
    LinearScaling | NTKScaling | DynamicNTKScaling | Llama3Scaling | YarnScaling
)


def _check_factor(factor: float | int) -> None:
    if not factor >= 1:
        raise ValueError(
            "factor must be at least 1, because scaling can only lower frequencies; "
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
