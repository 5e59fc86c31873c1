"""From logits to sampling probabilities: temperature, top-k, top-p and min-p, and
penalties against repetition, which change the logits according to the text so far.
"""

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


def next_token_probabilities(
    logits: Float[Tensor, "*batch vocab"],
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    min_p: float | int | None = None,
) -> Float[Tensor, "*batch vocab"]:
    """Return the probability with which each token is drawn; every row sums to one.

    The temperature comes first, then the filters in the order of the arguments; after
    each, the remaining probabilities are rescaled to sum to one. Among equally probable
    tokens, the one with the lower number is kept first.

    Args:
        logits: The model's logits; -inf means never.
        temperature: Divides the logits: below 1, likely tokens become likelier; above
            1, less likely; 0 is greedy decoding.
        top_k: Keep this many tokens.
        top_p: Keep the smallest set of tokens whose probabilities sum to at least this
            (nucleus sampling).
        min_p: Keep the tokens that are at least this many times as probable as the
            best.

    Raises:
        ValueError: If an argument is out of range, or the logits contain NaN, +inf or
            nothing but -inf.

    Source: Holtzman et al., The Curious Case of Neural Text Degeneration, equations 2
        and 3, https://arxiv.org/abs/1904.09751 (top-p); Nguyen et al.,
        https://arxiv.org/abs/2407.01082 (min-p)

    >>> logits = torch.tensor([0.5, 0.3, 0.2]).log()
    >>> next_token_probabilities(logits, top_p=0.6)
    tensor([0.6250, 0.3750, 0.0000])
    """
    _check(logits, temperature, top_k, top_p, min_p)
    if temperature == 0:
        best = logits.argmax(dim=-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, best, 1.0)
    # Subtracting the largest logit changes no probability, and prevents an overflow at
    # low temperatures.
    scores = (logits - logits.amax(dim=-1, keepdim=True)) / temperature
    probabilities = scores.softmax(dim=-1)
    if top_k is not None:
        probabilities = keep_top_k(probabilities, top_k)
    if top_p is not None:
        probabilities = keep_top_p(probabilities, top_p)
    if min_p is not None:
        probabilities = keep_min_p(probabilities, min_p)
    return probabilities


def keep_top_k(
    probabilities: Float[Tensor, "*batch vocab"], top_k: int
) -> Float[Tensor, "*batch vocab"]:
    """Keep the `top_k` most probable tokens of each row, rescaled to sum to one.

    >>> keep_top_k(torch.tensor([0.5, 0.3, 0.2]), 1)
    tensor([1., 0., 0.])
    """
    ranked = probabilities.argsort(dim=-1, descending=True, stable=True)
    keep = torch.zeros_like(probabilities, dtype=torch.bool).scatter(
        -1, ranked[..., :top_k], True
    )
    return _only(keep, probabilities)


def keep_top_p(
    probabilities: Float[Tensor, "*batch vocab"], top_p: float | int
) -> Float[Tensor, "*batch vocab"]:
    """Keep the smallest set of tokens whose probabilities sum to at least `top_p`,
    rescaled to sum to one.

    >>> keep_top_p(torch.tensor([0.5, 0.3, 0.2]), 0.8)
    tensor([0.6250, 0.3750, 0.0000])
    """
    if top_p == 1:
        return probabilities
    ranked, order = probabilities.sort(dim=-1, descending=True, stable=True)
    # A token is kept as long as the more probable ones do not reach top_p.
    before = ranked.cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = 0.0
    keep = torch.zeros_like(probabilities, dtype=torch.bool).scatter(
        -1, order, before < top_p
    )
    return _only(keep, probabilities)


def keep_min_p(
    probabilities: Float[Tensor, "*batch vocab"], min_p: float | int
) -> Float[Tensor, "*batch vocab"]:
    """Keep the tokens at least `min_p` times as probable as the best of their row,
    rescaled to sum to one.

    >>> keep_min_p(torch.tensor([0.5, 0.3, 0.2]), 0.5)
    tensor([0.6250, 0.3750, 0.0000])
    """
    return _only(
        probabilities >= min_p * probabilities.amax(dim=-1, keepdim=True), probabilities
    )


def repetition_penalty(
    logits: Float[Tensor, "batch vocab"],
    ids: Int[Tensor, "batch position"],
    penalty: float | int,
) -> Float[Tensor, "batch vocab"]:
    """Make each token of the text less likely: divide its logit if it is positive,
    multiply it if negative.

    Args:
        ids: The text so far.
        penalty: 1 changes nothing; above 1, tokens of the text become less likely,
            however often they occur.

    Raises:
        ValueError: If the penalty is not positive.

    Source: Keskar et al., CTRL, section 4.1, https://arxiv.org/abs/1909.05858

    >>> logits = torch.tensor([[2.0, -1.0, 1.0]])
    >>> repetition_penalty(logits, torch.tensor([[0, 1, 1]]), penalty=2)
    tensor([[ 1., -2.,  1.]])
    """
    if penalty <= 0:
        raise ValueError(f"penalty must be above 0, got {penalty}.")
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(1, ids, True)
    penalized = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, penalized, logits)


def no_repeat_ngram(
    logits: Float[Tensor, "batch vocab"], ids: Int[Tensor, "batch position"], size: int
) -> Float[Tensor, "batch vocab"]:
    """Forbid each token that would repeat a sequence of `size` tokens of the text.

    Args:
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


def _only(keep: Tensor, probabilities: Tensor) -> Tensor:
    kept = probabilities * keep
    return kept / kept.sum(dim=-1, keepdim=True)


def _check(
    logits: Tensor,
    temperature: float | int,
    top_k: int | None,
    top_p: float | int | None,
    min_p: float | int | None,
) -> None:
    if not 0 <= temperature < float("inf"):
        raise ValueError(
            f"temperature must be 0 (the best token) or above, got {temperature}."
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}.")
    if min_p is not None and not 0 <= min_p <= 1:
        raise ValueError(f"min_p must be from 0 to 1, got {min_p}.")
    best = logits.amax(dim=-1)  # NaN if there is one in the row
    if not best.isfinite().all():
        raise ValueError(
            "Each row of logits must hold a finite best score; got NaN, +inf, or a row "
            "of nothing but -inf."
        )
