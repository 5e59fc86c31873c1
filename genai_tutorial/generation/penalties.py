"""Penalties against repetition: they change the logits according to the text so far."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

LogitsProcessor = Callable[
    [Float[Tensor, "batch vocab"], Int[Tensor, "batch position"]],
    Float[Tensor, "batch vocab"],
]
"""A function of the next token's logits and the text so far that returns other logits,
such as `functools.partial(repetition_penalty, penalty=1.2)`.
"""


def repetition_penalty(
    logits: Float[Tensor, "batch vocab"],
    ids: Int[Tensor, "batch position"],
    penalty: float | int,
    window: int | None = None,
) -> Float[Tensor, "batch vocab"]:
    """Make each token of the text less likely: divide its logit if it is positive,
    multiply it if negative.

    Args:
        logits: The model's logits.
        ids: The text so far.
        penalty: 1 changes nothing; above 1, tokens of the text become less likely,
            however often they occur.
        window: How many of the last tokens count; None for the whole text.

    Raises:
        ValueError: If the penalty is not positive, or the window below 1.

    Source: Keskar et al., CTRL, section 4.1, https://arxiv.org/abs/1909.05858

    >>> logits = torch.tensor([[2.0, -1.0, 1.0]])
    >>> repetition_penalty(logits, torch.tensor([[0, 1, 1]]), penalty=2)
    tensor([[ 1., -2.,  1.]])
    """
    if penalty <= 0:
        raise ValueError(f"penalty must be above 0, got {penalty}.")
    if window is not None and window < 1:
        raise ValueError(f"window must be at least 1 token, got {window}.")
    seen = _counts(ids[:, -(window or 0) :], logits) > 0
    penalized = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, penalized, logits)


def frequency_penalty(
    logits: Float[Tensor, "batch vocab"],
    ids: Int[Tensor, "batch position"],
    penalty: float | int,
    presence: float | int = 0.0,
) -> Float[Tensor, "batch vocab"]:
    """Subtract the penalty from a token's logit once for each time that it occurs in
    the text.

    Source: OpenAI's API, frequency and presence penalty,
        https://platform.openai.com/docs/api-reference/chat/create
    """
    counts = _counts(ids, logits)
    return logits - penalty * counts - presence * (counts > 0)


def no_repeat_ngram(
    logits: Float[Tensor, "batch vocab"], ids: Int[Tensor, "batch position"], size: int
) -> Float[Tensor, "batch vocab"]:
    """Forbid each token that would repeat a sequence of `size` tokens of the text.

    Args:
        logits: The model's logits.
        ids: The text so far.
        size: The length of the sequences; 1 forbids every token of the text.

    Raises:
        ValueError: If the size is below 1.

    Source: Paulus et al., A Deep Reinforced Model for Abstractive Summarization,
    section 2.5, https://arxiv.org/abs/1705.04304

    >>> logits = torch.zeros(1, 3)
    >>> no_repeat_ngram(logits, torch.tensor([[0, 1, 2, 0]]), size=2)
    tensor([[0., -inf, 0.]])
    """
    if size < 1:
        raise ValueError(f"size must be at least 1 token, got {size}.")
    logits = logits.clone()
    for row, text in enumerate(ids.tolist()):
        last = text[len(text) - size + 1 :]  # what the new token would complete
        for start in range(len(text) - size + 1):
            if text[start : start + size - 1] == last:
                logits[row, text[start + size - 1]] = -torch.inf
    return logits


def _counts(
    ids: Int[Tensor, "batch position"], logits: Float[Tensor, "batch vocab"]
) -> Float[Tensor, "batch vocab"]:
    """Return how often each token occurs in each row."""
    ones = torch.ones_like(ids, dtype=logits.dtype)
    return torch.zeros_like(logits).scatter_add(1, ids, ones)
