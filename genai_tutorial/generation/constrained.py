"""Constraints, which say what tokens may come next, given what has been drawn so far:
`ForbiddenTokens`, and `ConstrainedText`, after whose tokens the text can still be
completed to match a regular expression.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genai_tutorial.tokenization import BPETokenizer

from .regular import NOTHING, Regex, advance, derivative, parse_regex


@runtime_checkable
class Constraint(Protocol):
    """A rule that new tokens must follow. It has no state: everything is computed from
    the row's new tokens, so the same constraint serves any number of rows and calls.
    """

    def allowed(self, drawn: Sequence[int], left: int) -> Bool[Tensor, "vocab"]:
        """Return which tokens may follow; at least one must.

        Args:
            drawn: The tokens drawn for this row so far, without the prompt.
            left: The number of tokens that may still be drawn, this one included.
        """
        ...


@dataclass(frozen=True)
class ForbiddenTokens:
    """The simplest constraint: some tokens are never drawn.

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
    """Return the logits with -inf at each token that a running row may not draw."""
    rows = zip(logits, drawn, running, strict=True)
    return torch.stack(
        [
            mask_row(row, constraint, tokens, left) if goes_on else row
            for row, tokens, goes_on in rows
        ]
    )


def mask_row(
    logits: Float[Tensor, "vocab"],
    constraint: Constraint,
    drawn: Sequence[int],
    left: int,
) -> Float[Tensor, "vocab"]:
    """Return one row's logits with -inf at each token that it may not draw.

    Args:
        drawn: The tokens drawn for this row so far, without the prompt.
        left: The number of tokens that may still be drawn, this one included.

    Raises:
        ValueError: If the constraint has another vocabulary, or allows no token.
    """
    allowed = constraint.allowed(drawn, left).to(logits.device)
    if allowed.shape != logits.shape:
        raise ValueError(
            f"The model has {len(logits)} tokens, the constraint {len(allowed)}: make "
            "it with the model's tokenizer."
        )
    if not allowed.any():
        raise ValueError(
            f"The constraint allows no token after {list(drawn)} with {left} left to "
            "draw: give it an end token, or more tokens."
        )
    return logits.masked_fill(~allowed, -torch.inf)


_FORBIDDEN = 1 << 30
"""The number of steps to the end behind a token that may not be drawn."""
_DEAD_END = _FORBIDDEN - 1
"""The number of steps where no tokens spell the rest of the shortest text."""


_TOKEN = -1  # where a node of the trie keeps the tokens that end at it


def vocabulary_trie(token_bytes: Sequence[bytes | None]) -> dict:
    """Arrange all tokens of a vocabulary by their bytes."""
    root: dict = {}
    for token, text in enumerate(token_bytes):
        if text is not None:
            node = root
            for byte in text:
                node = node.setdefault(byte, {})
            node.setdefault(_TOKEN, []).append(token)
    return root


def longest_first(trie: dict, text: bytes) -> list[int] | None:
    """Cut a text into tokens, each as long as possible; None if no token fits
    somewhere.
    """
    tokens, start = [], 0
    while start < len(text):
        node, longest = trie, None
        for end in range(start, len(text)):
            node = node.get(text[end])
            if node is None:
                break
            if _TOKEN in node:
                longest = node[_TOKEN][0], end + 1
        if longest is None:
            return None
        token, start = longest
        tokens.append(token)
    return tokens


class TokenMask:
    """The tokens that may come next in each state, computed once per state.

    A state is the regular expression that the rest of the text must match, so one
    object serves any number of patterns.

    Args:
        token_bytes: The bytes of each token; None for tokens that are never text, such
            as special ones.

    >>> mask = TokenMask([b"a", b"ab", b"b", b"c", None], end_token=4)
    >>> mask.allowed(parse_regex("ab?"))
    tensor([ True,  True, False, False, False])
    """

    def __init__(self, token_bytes: Sequence[bytes | None], end_token: int):
        self.token_bytes, self.end_token = list(token_bytes), end_token
        self.token_bytes[end_token] = None
        self.trie = vocabulary_trie(self.token_bytes)
        self._steps: dict[Regex, Tensor] = {}
        self._to_end: dict[Regex, int] = {}

    @classmethod
    def from_tokenizer(cls, tokenizer: BPETokenizer, end_token: int) -> "TokenMask":
        """Make the masks for a tokenizer, whose special tokens are never allowed."""
        special = set(tokenizer.special_tokens.values())
        return cls(
            [
                None if token in special else text
                for token, text in enumerate(tokenizer.token_bytes)
            ],
            end_token,
        )

    @property
    def states(self) -> int:
        """The number of states met so far."""
        return len(self._steps)

    def allowed(self, state: Regex) -> Bool[Tensor, "vocab"]:
        """Return which tokens may come next: those that keep a match possible, and the
        end token if the text matches as it is.
        """
        return self.steps_to_end(state) < _FORBIDDEN

    def steps_to_end(self, state: Regex) -> Int[Tensor, "vocab"]:
        """Return how many steps suffice to end the text if a token is drawn now: this
        one, the shortest rest, and the end token; `_FORBIDDEN` for a token that may not
        be drawn.
        """
        if state not in self._steps:
            steps = torch.full((len(self.token_bytes),), _FORBIDDEN, dtype=torch.int32)
            for token, after in self._continuations(state):
                steps[token] = min(1 + self.tokens_to_end(after), _DEAD_END)
            if state.nullable:
                steps[self.end_token] = 1
            self._steps[state] = steps
        return self._steps[state]

    def tokens_to_end(self, state: Regex) -> int:
        """Return how many tokens end the text from here by the shortest way, the end
        token included; `_DEAD_END` if no tokens spell it.
        """
        # The rest of a shortest text is a shortest text again, and alphabetical order
        # among equals chooses it: each of its tokens brings the end a step nearer.
        if state not in self._to_end:
            tokens = longest_first(self.trie, state.shortest)
            self._to_end[state] = _DEAD_END if tokens is None else len(tokens) + 1
        return self._to_end[state]

    def _continuations(self, state: Regex) -> list[tuple[list[int], Regex]]:
        """Walk down the trie, and return the tokens that may be drawn with the state
        behind each.
        """
        found, waiting = [], [(self.trie, state)]
        while waiting:
            node, reached = waiting.pop()
            for byte, below in node.items():
                if byte == _TOKEN:
                    found.append((below, reached))
                elif (after := derivative(reached, byte)) is not NOTHING:
                    waiting.append((below, after))
        return found


class ConstrainedText:
    r"""A `Constraint`: the new text matches a regular expression as a whole.

    Args:
        pattern: The regular expression, see `parse_regex`.
        plan_end: Allow a token only if the shortest end of the text still fits into the
            limit of new tokens, so that every text is complete. Otherwise a text may be
            cut off at the limit.

    Raises:
        ValueError: If the pattern is not supported, or matches no text.

    >>> mask = TokenMask([b"a", b"b", b"c", None], end_token=3)
    >>> text = ConstrainedText("a+b*c", mask)
    >>> text.allowed([0], left=5)  # after "a"
    tensor([ True,  True,  True, False])
    >>> text.allowed([0], left=2)  # only "c" and the end token fit
    tensor([False, False,  True, False])
    """

    def __init__(self, pattern: str, mask: TokenMask, plan_end: bool = True):
        self.start, self.mask, self.plan_end = parse_regex(pattern), mask, plan_end
        if self.start is NOTHING:
            raise ValueError(f"No text matches {pattern!r}.")

    def state(self, drawn: Sequence[int]) -> Regex:
        """Return what the rest of the text must match after these tokens.

        Raises:
            ValueError: If a token is not text, or the tokens do not begin a text that
                matches.
        """
        state = self.start
        for token in drawn:
            text = self.mask.token_bytes[token]
            state = NOTHING if text is None else advance(state, text)
            if state is NOTHING:
                raise ValueError(
                    f"No text that matches begins with the tokens {list(drawn)}: was "
                    "one drawn without the constraint?"
                )
        return state

    def allowed(self, drawn: Sequence[int], left: int) -> Bool[Tensor, "vocab"]:
        """Return which tokens may follow; see `Constraint`.

        Raises:
            ValueError: If no text that matches fits into the tokens that are left.
        """
        state = self.state(drawn)
        if not self.plan_end:
            return self.mask.allowed(state)
        needed = self.mask.tokens_to_end(state)
        if needed > left:
            raise ValueError(
                f"The shortest text that matches needs {needed} tokens, the end token "
                f"included; there are {left} left. Allow more, or a shorter text."
            )
        return self.mask.steps_to_end(state) <= left
