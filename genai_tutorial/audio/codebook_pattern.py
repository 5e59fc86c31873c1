"""Codebook patterns: the arrangement of several parallel streams of tokens, the
codebooks of a codec or the voices of a chorale, in one sequence of columns. A model
predicts all tokens of a column at once, each from the earlier columns only.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class CodebookPattern:
    """The column of each token: stream k's token of step t goes to column
    `stride * t + delays[k]`.

    Attributes:
        delays: The delay of each stream, in columns.
        stride: The number of columns per step.

    Raises:
        ValueError: If a delay is negative, there are no streams, or `stride` is below
            1.

    Source: Copet et al., Simple and Controllable Music Generation, section 2.2 and
    figure 1, https://arxiv.org/abs/2306.05284

    >>> CodebookPattern.delayed(4)
    CodebookPattern(delays=(0, 1, 2, 3), stride=1)
    """

    delays: tuple[int, ...]
    stride: int = 1

    def __post_init__(self):
        if not self.delays or min(self.delays) < 0 or self.stride < 1:
            raise ValueError(
                "A pattern needs a delay of 0 or more for each stream and a stride of "
                f"1 or more; got delays={self.delays}, stride={self.stride}."
            )

    @classmethod
    def parallel(cls, streams: int) -> "CodebookPattern":
        """Return the pattern with a whole step in each column: no token sees the others
        of its step.
        """
        return cls((0,) * streams)

    @classmethod
    def delayed(cls, streams: int) -> "CodebookPattern":
        """Return MusicGen's pattern: each stream is one column behind the stream before
        it, so it sees that stream's token of the same step.
        """
        return cls(tuple(range(streams)))

    @classmethod
    def flattened(cls, streams: int) -> "CodebookPattern":
        """Return the pattern with one token per column: every token sees all tokens
        before it, at the cost of `streams` times as many columns.
        """
        return cls(tuple(range(streams)), streams)

    def columns(self, steps: int) -> int:
        """Return the number of columns needed for a number of steps.

        >>> CodebookPattern.delayed(4).columns(500)  # ten seconds of MusicGen
        503
        """
        return self.stride * (steps - 1) + max(self.delays) + 1


def delay(
    codes: Int[Tensor, "*batch stream step"], pattern: CodebookPattern, filler: int
) -> Int[Tensor, "*batch stream column"]:
    """Arrange streams of tokens in the columns of a pattern.

    Args:
        filler: The token for positions that no stream fills.

    Raises:
        ValueError: If the number of streams is not the pattern's.

    >>> voices = torch.tensor([[1, 2, 3], [4, 5, 6]])
    >>> delay(voices, CodebookPattern.delayed(2), filler=0)
    tensor([[1, 2, 3, 0],
            [0, 4, 5, 6]])
    >>> delay(voices, CodebookPattern.flattened(2), filler=0)
    tensor([[1, 0, 2, 0, 3, 0],
            [0, 4, 0, 5, 0, 6]])
    """
    streams, steps = codes.shape[-2:]
    if streams != len(pattern.delays):
        raise ValueError(
            f"The pattern has {len(pattern.delays)} delays, but there are {streams} "
            "streams: give one delay for each."
        )
    columns = codes.new_full((*codes.shape[:-1], pattern.columns(steps)), filler)
    for stream, start in enumerate(pattern.delays):
        columns[..., stream, start :: pattern.stride][..., :steps] = codes[
            ..., stream, :
        ]
    return columns


def undelay(
    columns: Int[Tensor, "*batch stream column"], pattern: CodebookPattern
) -> Int[Tensor, "*batch stream step"]:
    """Undo `delay`: return the streams with all tokens of a step side by side."""
    steps = (columns.shape[-1] - max(pattern.delays) - 1) // pattern.stride + 1
    return torch.stack(
        [
            columns[..., stream, start :: pattern.stride][..., :steps]
            for stream, start in enumerate(pattern.delays)
        ],
        dim=-2,
    )
