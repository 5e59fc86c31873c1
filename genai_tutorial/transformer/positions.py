"""Positional encodings: attention treats its input as a set, so information about the
order of the tokens has to be added.

The original Transformer adds sinusoidal waves to the token embeddings, GPT-2 learned
vectors. Rotary position embedding (RoPE) rotates queries and keys by an angle
proportional to their position, so that their dot product depends on their distance.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

_Pairs = Float[Tensor, "pair"]


class LearnedPositions(nn.Module):
    """Learned positional encoding: one vector for each position of the context."""

    def __init__(self, context_length: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(context_length, width))

    def forward(
        self,
        x: Float[Tensor, "batch position width"],
        positions: Int[Tensor, "rows position"] | None = None,
    ) -> Float[Tensor, "batch position width"]:
        """Add to each vector the encoding of its position; `positions=None` stands for
        0, 1, 2 and so on.
        """
        places = slice(x.shape[1]) if positions is None else positions
        return x + self.weight[places]


class SinusoidalPositions(LearnedPositions):
    """Sinusoidal positional encoding: fixed sines and cosines of the position.

    Features 2i and 2i + 1 are the sine and the cosine of position / 10,000^(2i/width).

    Source: Vaswani et al., Attention Is All You Need, section 3.5,
    https://arxiv.org/abs/1706.03762

    >>> SinusoidalPositions(context_length=2, width=4).weight
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """

    def __init__(self, context_length: int, width: int):
        nn.Module.__init__(self)  # waves instead of learned vectors
        frequencies = 10_000.0 ** (
            -torch.arange(0, width, 2, dtype=torch.float64, device="cpu") / width
        )
        positions = torch.arange(context_length, dtype=torch.float64, device="cpu")
        angles = torch.outer(positions, frequencies)
        waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :width]
        self.register_buffer("weight", waves.float(), persistent=False)


class RotaryEmbedding(nn.Module):
    """Rotary position embedding: rotates each pair of features of a query or key by
    position x frequency.

    Feature i is paired with feature i + head_width/2, as in GPT-NeoX and in the
    transformers library's Llama, and not with its neighbour, as in the paper.

    Args:
        frequencies: The frequency of each pair in radians per position, from
            `rotary_frequencies` or a scaling of them.
        context_length: The number of positions to precompute angles for.
        factor: Multiplies cosines and sines; only YaRN has another one than 1.

    Source: Su et al., RoFormer, equation 34, https://arxiv.org/abs/2104.09864
    """

    def __init__(
        self,
        frequencies: Float[Tensor, "pair"],
        context_length: int,
        factor: float = 1.0,
    ):
        super().__init__()
        # float64, so that the angles of far positions are exact; on the CPU, so that a
        # model on torch's meta device, whose weights will be loaded, has its angles.
        positions = torch.arange(context_length, dtype=torch.float64, device="cpu")
        angles = torch.outer(positions, frequencies)
        cosines = (factor * angles.cos()).float()
        sines = (factor * angles.sin()).float()
        cosines = torch.cat((cosines, cosines), dim=-1)
        sines = torch.cat((-sines, sines), dim=-1)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)

    def forward(
        self,
        x: Float[Tensor, "*batch position dim"],
        rotation: tuple[Tensor, Tensor] | None = None,
    ) -> Float[Tensor, "*batch position dim"]:
        """Rotate queries or keys by the output of `rotation` for their positions, or by
        that for positions 0, 1, 2 and so on.
        """
        cosines, sines = (
            (self.cosines[: x.shape[-2]], self.sines[: x.shape[-2]])
            if rotation is None
            else rotation
        )
        # Each feature's partner is half a width away: (a, b) becomes (a cos - b sin,
        # b cos + a sin).
        return x * cosines + x.roll(x.shape[-1] // 2, dims=-1) * sines

    def rotation(
        self, positions: Int[Tensor, "rows position"]
    ) -> tuple[Tensor, Tensor]:
        """Return the cosines and sines of the angles at these positions."""
        return self.cosines[positions][:, None], self.sines[positions][:, None]


def rotary_frequencies(head_width: int, base: float | int) -> Float[Tensor, "pair"]:
    """Return the frequency of each pair of features in radians per position, as
    float64: base^(-2i/head_width) for pair i.

    The first pair rotates fast and distinguishes neighbouring positions, the last
    rotates slowly and distinguishes far ones; the larger the base, the slower.

    Raises:
        ValueError: If `head_width` is odd.

    >>> rotary_frequencies(4, 10_000)
    tensor([1.0000, 0.0100], dtype=torch.float64)
    """
    if head_width % 2:
        raise ValueError(
            "head_width must be even, because features are rotated in pairs; got "
            f"{head_width}."
        )
    return float(base) ** (
        -torch.arange(0, head_width, 2, dtype=torch.float64, device="cpu") / head_width
    )


class RotaryScaling:
    """Lowers the frequencies of the slow pairs of features, which would reach angles
    that never occurred in training, for reading longer texts than there.
    """

    attention_factor: float = 1.0
    """The factor of cosines and sines: 1, no change."""

    def scale(self, frequencies: _Pairs, base: float | int) -> _Pairs:
        """Return the new frequency of each pair, in radians per position."""
        raise NotImplementedError


@dataclass(frozen=True)
class LinearScaling(RotaryScaling):
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

    def scale(self, frequencies: _Pairs, base: float | int) -> _Pairs:
        """Return the new frequency of each pair, in radians per position."""
        return frequencies / self.factor


@dataclass(frozen=True)
class NTKScaling(RotaryScaling):
    """NTK-aware scaling: a larger base, so that the slowest pair turns `factor` times
    slower and the fastest, which distinguishes neighbouring positions, as before.

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

    def scale(self, frequencies: _Pairs, base: float | int) -> _Pairs:
        """Return the new frequency of each pair, in radians per position."""
        last = max(len(frequencies) - 1, 1)
        return frequencies * float(self.factor) ** (-_numbers(frequencies) / last)


@dataclass(frozen=True)
class DynamicNTKScaling(RotaryScaling):
    """NTK-aware scaling that grows with the text: none up to the trained context, then
    as much as its length needs.

    Attributes:
        length: The length of the text, in tokens.
        original_context_length: The trained context, in tokens.

    Raises:
        ValueError: If a length is below 1.

    Source: Peng et al., YaRN, section 3.3 (dynamic scaling),
        https://arxiv.org/abs/2309.00071; the formula comes from the transformers
        library

    >>> DynamicNTKScaling(length=8192, original_context_length=4096).ratio
    2.0
    """

    length: int
    original_context_length: int = 4096

    def __post_init__(self):
        if self.length < 1 or self.original_context_length < 1:
            raise ValueError(
                "length and original_context_length must be at least 1 token; got "
                f"{self.length!r} and {self.original_context_length!r}."
            )

    @property
    def ratio(self) -> float:
        """The factor by which the slowest pair turns slower."""
        return max(self.length / self.original_context_length, 1.0)

    def scale(self, frequencies: _Pairs, base: float | int) -> _Pairs:
        """Return the new frequency of each pair, in radians per position."""
        return NTKScaling(self.ratio).scale(frequencies, base)


@dataclass(frozen=True)
class Llama3Scaling(RotaryScaling):
    """The scaling of Llama 3.1: divides the frequencies of slow pairs by `factor`.

    Attributes:
        factor: The divisor of the slow pairs' frequencies.
        original_context_length: The trained context, in tokens.
        slow_turns: Pairs with fewer turns in the trained context are slow
            (`low_freq_factor` elsewhere).
        fast_turns: Pairs with more turns are unchanged (`high_freq_factor` elsewhere);
            in between the change is gradual.

    Raises:
        ValueError: If a number is out of range.

    Source: Grattafiori et al., The Llama 3 Herd of Models, section 3.4.2,
        https://arxiv.org/abs/2407.21783; the formula comes from Meta's code,
        https://github.com/meta-llama/llama-models
    """

    factor: float | int = 8
    original_context_length: int = 8192
    slow_turns: float | int = 1
    fast_turns: float | int = 4

    def __post_init__(self):
        _check_turns(self)

    def scale(self, frequencies: _Pairs, base: float | int) -> _Pairs:
        """Return the new frequency of each pair, in radians per position."""
        turns = self.original_context_length * frequencies / (2 * math.pi)
        kept = (turns - self.slow_turns) / (self.fast_turns - self.slow_turns)
        kept = kept.clamp(0, 1)
        return frequencies * kept + frequencies / self.factor * (1 - kept)


@dataclass(frozen=True)
class YarnScaling(RotaryScaling):
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
        _check_turns(self)

    @property
    def attention_factor(self) -> float:
        """Factor of cosines and sines, which keeps attention sharp over more keys."""
        return 0.1 * math.log(self.factor) + 1.0

    def scale(self, frequencies: _Pairs, base: float | int) -> _Pairs:
        """Return the new frequency of each pair, in radians per position."""
        pairs, length = len(frequencies), self.original_context_length

        def pair_that_turns(times: float | int) -> float:
            return pairs * math.log(length / (2 * math.pi * times)) / math.log(base)

        first = max(math.floor(pair_that_turns(self.fast_turns)), 0)
        last = min(math.ceil(pair_that_turns(self.slow_turns)), 2 * pairs - 1)
        numbers = _numbers(frequencies)
        slowed = ((numbers - first) / max(last - first, 1e-3)).clamp(0, 1)
        return frequencies * (1 - slowed) + frequencies / self.factor * slowed


def _numbers(frequencies: _Pairs) -> _Pairs:
    count, like = len(frequencies), frequencies
    return torch.arange(count, dtype=like.dtype, device=like.device)


def _check_factor(factor: float | int) -> None:
    if not factor >= 1:
        raise ValueError(
            f"factor must be at least 1, to lower frequencies; got {factor!r}."
        )


def _check_turns(scaling: Llama3Scaling | YarnScaling) -> None:
    _check_factor(scaling.factor)
    if (
        scaling.original_context_length < 1
        or not 0 < scaling.slow_turns < scaling.fast_turns
    ):
        raise ValueError(
            "original_context_length must be at least 1 token, and slow_turns above 0 "
            f"and below fast_turns; got {scaling!r}."
        )
