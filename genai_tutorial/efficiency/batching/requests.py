"""Requests to an engine, their sampling options, their answers, and what serving them
cost.
"""

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
        processor: Changes the logits before each draw, given the answer's tokens.
        seed: Seed of the request's own random generator.

    Raises:
        ValueError: If a number is out of range.
    """

    max_new_tokens: int = 64
    temperature: float | int = 0.0
    top_p: float | int | None = None
    end_tokens: frozenset[int] = frozenset()
    stop: Stop | None = None
    processor: Callable[[Tensor, list[int]], Tensor] | None = None
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
            if options.processor is not None:
                logits = options.processor(logits, self.ids)
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


@dataclass
class Statistics:
    """Counts of a run. A pass is one forward pass of the model.

    Attributes:
        prefill_passes: Passes that read a prompt, beside one token of other texts.
        decode_passes: Passes that read one new token of each text.
        row_steps: Texts in a pass, summed over all passes.
        wasted_row_steps: Those whose answers were finished already.
        tokens_read: Tokens that went through the model, without padding and finished
            rows; those read again after a preemption count again.
        positions: Positions that went through the model, with padding and finished
            rows.
        prefix_tokens: Prompt tokens found in the prefix cache instead of read.
        slots_reserved: Slots that were reserved for running requests' keys and values,
            summed over all passes.
        slots_used: Slots that held a token's keys and values, summed over all passes.
        most_slots_reserved: The largest number of slots reserved in a pass.
        preemptions: The number of times that a running request lost its blocks.
        evictions: Blocks that the prefix cache released.
        copies: Blocks copied on write.
    """

    prefill_passes: int = 0
    decode_passes: int = 0
    row_steps: int = 0
    wasted_row_steps: int = 0
    tokens_read: int = 0
    positions: int = 0
    tokens_drawn: int = 0
    prefix_tokens: int = 0
    slots_reserved: int = 0
    slots_used: int = 0
    most_slots_reserved: int = 0
    preemptions: int = 0
    evictions: int = 0
    copies: int = 0

    @property
    def passes(self) -> int:
        """The number of forward passes."""
        return self.prefill_passes + self.decode_passes

    @property
    def waste(self) -> float:
        """The share of the reserved slots that held nothing; 0 before the first
        pass.
        """
        return 1 - self.slots_used / self.slots_reserved if self.slots_reserved else 0.0

    def count_pass(self, new: list[int], rows: int, positions: int) -> None:
        """Count a forward pass over the new tokens of each unfinished answer, with a
        number of rows for all answers.
        """
        self.prefill_passes += max(new) > 1
        self.decode_passes += max(new) == 1
        self.row_steps += rows
        self.wasted_row_steps += rows - len(new)
        self.tokens_read += sum(new)
        self.positions += positions

    def count_slots(self, reserved: int, used: int) -> None:
        """Count the memory that a forward pass finds reserved and used."""
        self.slots_reserved += reserved
        self.slots_used += used
        self.most_slots_reserved = max(self.most_slots_reserved, reserved)
