"""Constraints: which tokens may come next, given what has been drawn so far."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@runtime_checkable
class Constraint(Protocol):
    """The `Constraint` protocol: a rule that new tokens must follow.

    It has no state: everything is computed from the row's new tokens, so the same
    constraint serves any number of rows, calls and beams.
    """

    def allowed(self, drawn: Sequence[int], left: int) -> Bool[Tensor, "vocab"]:
        """Return which tokens may follow; at least one must.

        Args:
            drawn: The tokens drawn for this row so far, without the prompt.
            left: How many tokens may still be drawn, this one included.
        """
        ...


@dataclass(frozen=True)
class ForbiddenTokens:
    """The simplest constraint: some tokens are never drawn.

    Attributes:
        vocab_size: The number of tokens in the vocabulary.

    Raises:
        ValueError: If a token is not in the vocabulary, or all are forbidden.

    >>> ForbiddenTokens([1], vocab_size=3).allowed([], left=5)
    tensor([ True, False,  True])
    """

    tokens: Collection[int]
    vocab_size: int

    def __post_init__(self):
        if wrong := [t for t in self.tokens if not 0 <= t < self.vocab_size]:
            raise ValueError(
                f"Tokens must be from 0 to {self.vocab_size - 1}, got {wrong}."
            )
        if len(set(self.tokens)) == self.vocab_size:
            raise ValueError("At least one token must be allowed; all are forbidden.")

    def allowed(self, drawn: Sequence[int], left: int) -> Bool[Tensor, "vocab"]:
        """Return which tokens may follow: always the same ones."""
        mask = torch.ones(self.vocab_size, dtype=torch.bool)
        mask[list(self.tokens)] = False
        return mask


def mask_logits(
    logits: Float[Tensor, "batch vocab"],
    constraint: Constraint,
    drawn: Sequence[Sequence[int]],
    left: int,
    running: Sequence[bool],
) -> Float[Tensor, "batch vocab"]:
    """Return the logits with -inf at each token that a row may not draw."""
    masked = logits.clone()
    for row, tokens in enumerate(drawn):
        if not running[row]:
            continue
        allowed = constraint.allowed(tokens, left).to(logits.device)
        if allowed.shape != logits.shape[1:]:
            raise ValueError(
                f"The model has {logits.shape[1]} tokens, the constraint "
                f"{len(allowed)}: make it with the model's tokenizer."
            )
        if not allowed.any():
            raise ValueError(
                f"The constraint allows no token after {list(tokens)} with {left} left "
                "to draw: give it an end token, or more tokens."
            )
        masked[row, ~allowed] = -torch.inf
    return masked
