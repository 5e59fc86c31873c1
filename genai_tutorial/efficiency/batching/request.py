"""Requests to an engine, their sampling options, and their answers."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.generation import Stop, draw, next_token_probabilities

FinishReason = Literal["stop", "length", "cancelled", "error"]
"""Why an answer has ended, see `Answer`."""


@dataclass(frozen=True)
class SamplingOptions:
    """The sampling options of one request.

    Attributes:
        max_new_tokens: Maximum number of tokens in the answer.
        temperature: See `next_token_probabilities`; 0 is greedy decoding.
        top_p: See `next_token_probabilities`.
        end_tokens: Tokens that end the answer and do not belong to it.
        stop: Says whether the answer's tokens finish it; the answer contains them all.
        seed: Seed of the request's own random generator.

    Raises:
        ValueError: If a number is out of range.
    """

    max_new_tokens: int = 64
    temperature: float | int = 0.0
    top_p: float | int | None = None
    end_tokens: frozenset[int] = frozenset()
    stop: Stop | None = None
    seed: int = 0

    def __post_init__(self):
        if self.max_new_tokens < 1:
            raise ValueError(
                f"max_new_tokens must be at least 1, got {self.max_new_tokens}."
            )
        next_token_probabilities(torch.zeros(2), self.temperature, top_p=self.top_p)


@dataclass(frozen=True)
class Request:
    """A prompt and how to continue it.

    Attributes:
        prompt: The tokens of the prompt, at least one.

    Raises:
        ValueError: If the prompt is empty.
    """

    prompt: tuple[int, ...]
    options: SamplingOptions = field(default_factory=SamplingOptions)

    def __post_init__(self):
        if not self.prompt:
            raise ValueError("A prompt needs at least one token, got none.")

    def with_stop(self, stop: Stop) -> "Request":
        """Return the same request with another `SamplingOptions.stop`."""
        return replace(self, options=replace(self.options, stop=stop))

    @property
    def longest(self) -> int:
        """The maximum number of tokens of prompt and answer together."""
        return len(self.prompt) + self.options.max_new_tokens


class Answer:
    """The answer to one request, as far as it has been drawn.

    Args:
        on_token: Called with each token of the answer as soon as it is drawn.

    Attributes:
        ids: The tokens of the answer so far.
        finish_reason: "stop" after an end token or a text to stop at, "length" after
            `max_new_tokens`, "cancelled" or "error"; None as long as it is not
            finished.
        error: The error message, if `finish_reason` is "error".
    """

    def __init__(
        self, request: Request, on_token: Callable[[int], object] | None = None
    ):
        self.request, self.on_token = request, on_token
        self.ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self.error: str | None = None
        self._generator = torch.Generator().manual_seed(request.options.seed)

    def __repr__(self) -> str:
        return f"Answer(ids={self.ids}, finish_reason={self.finish_reason!r})"

    @property
    def text(self) -> list[int]:
        """The tokens of the prompt and of the answer so far."""
        return [*self.request.prompt, *self.ids]

    @property
    def is_finished(self) -> bool:
        """True once no more tokens will be drawn."""
        return self.finish_reason is not None

    def draw(self, logits: Float[Tensor, "vocab"]) -> None:
        """Draw the next token and append it, unless it ends the answer.

        An error ends this answer only: logits that are not finite, or a callback that
        raises.
        """
        options = self.request.options
        try:
            if options.temperature == 0:
                token = _best(logits)
            else:
                probabilities = next_token_probabilities(
                    logits[None], options.temperature, top_p=options.top_p
                )
                token = int(draw(probabilities, self._generator))
            if token in options.end_tokens:
                self.finish_reason = "stop"
                return
            self.ids.append(token)
            if self.on_token is not None:
                self.on_token(token)
            stopped = options.stop is not None and options.stop(self.ids)
        except Exception as error:  # a caller's function may raise anything
            self.fail(error)
            return
        if self.is_finished:  # cancelled by the callback
            return
        if stopped:
            self.finish_reason = "stop"
        elif len(self.ids) >= options.max_new_tokens:
            self.finish_reason = "length"

    def fail(self, error: Exception) -> None:
        """End the answer because of an error."""
        self.finish_reason = "error"
        self.error = f"{type(error).__name__}: {error}"


def _best(logits: Float[Tensor, "vocab"]) -> int:
    best, token = logits.max(dim=-1)  # NaN if there is one
    if not math.isfinite(float(best)):
        raise ValueError("The logits hold NaN or +inf, or nothing but -inf.")
    return int(token)
