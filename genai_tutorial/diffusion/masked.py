"""Masked diffusion of tokens: the forward process masks them, and one network predicts
all masked positions at once.

A network is called as `model(tokens)` and returns logits for every position. One token
of its vocabulary is the mask, and no other token is noise.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

TokenModel = Callable[[Tensor], Tensor]
"""Maps tokens (batch, position) to logits (batch, position, vocab)."""

FillingOrder = Literal["reading", "random", "confident"]
"""From left to right, in random order, or the position with the largest probability
first.
"""


def mask_tokens(
    tokens: Int[Tensor, "batch position"],
    counts: Int[Tensor, " batch"],
    mask_token: int,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch position"]:
    """Replace `counts` random tokens of each row by the mask.

    Source: Sahoo et al., Simple and Effective Masked Diffusion Language Models, section
    3.1, https://arxiv.org/abs/2406.07524

    >>> generator = torch.Generator().manual_seed(0)
    >>> mask_tokens(torch.tensor([[5, 6, 7, 8]]), torch.tensor([3]), 0, generator)
    tensor([[0, 6, 0, 0]])
    """
    noise = torch.rand(tokens.shape, generator=generator)
    rank = noise.argsort(dim=1).argsort(dim=1).to(tokens.device)
    return tokens.masked_fill(rank < counts[:, None].to(tokens.device), mask_token)


def mask_counts(
    rows: int, length: int, generator: torch.Generator | None = None
) -> Int[Tensor, " rows"]:
    """Draw how many of `length` tokens to mask in each row: each number from 1 to
    `length` is equally likely, and a batch holds them evenly spread.

    >>> mask_counts(4, 8, torch.Generator().manual_seed(0))
    tensor([4, 6, 8, 2])
    """
    shift = torch.rand((), generator=generator)
    spread = (torch.arange(rows) / rows + shift) % 1
    return 1 + (spread * length).long().clamp(max=length - 1)


def token_log_probabilities(
    logits: Float[Tensor, "batch position vocab"], mask_token: int
) -> Float[Tensor, "batch position vocab"]:
    """Return the log-probabilities of the tokens; the mask itself is never predicted.

    Source: Sahoo et al., section 3.2.3 (zero masking probabilities),
    https://arxiv.org/abs/2406.07524
    """
    is_mask = torch.arange(logits.shape[-1], device=logits.device) == mask_token
    return logits.masked_fill(is_mask, -torch.inf).log_softmax(dim=-1)


def likelihood_bound(
    model: TokenModel,
    tokens: Int[Tensor, "batch position"],
    mask_token: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " batch"]:
    """Estimate an upper bound of -log p(tokens) in nats per row, from one random number
    of masks per row: the sum of -log p over the masked tokens, times length / masks.

    Its expectation is the mean of -log p over all orders of filling the row.

    Source: Nie et al., Large Language Diffusion Models, equations 3 and 6,
        https://arxiv.org/abs/2502.09992; Ou et al., Your Absorbing Discrete Diffusion
        Secretly Models the Conditional Distributions of Clean Data, section 3.3,
        https://arxiv.org/abs/2406.03736
    """
    rows, length = tokens.shape
    counts = mask_counts(rows, length, generator).to(tokens.device)
    noisy = mask_tokens(tokens, counts, mask_token, generator)
    losses = -_log_probability(model(noisy), tokens, mask_token)
    return (losses * (noisy == mask_token)).sum(dim=1) * length / counts


def masked_loss(
    model: TokenModel,
    tokens: Int[Tensor, "batch position"],
    mask_token: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Return the training loss, the mean `likelihood_bound` in nats per token.

    >>> uniform = lambda tokens: torch.zeros(*tokens.shape, 9)  # a mask and 8 tokens
    >>> masked_loss(uniform, torch.ones(4, 5, dtype=torch.long), mask_token=0)
    tensor(2.0794)
    """
    return (
        likelihood_bound(model, tokens, mask_token, generator).mean()
        / (tokens.shape[1])
    )


@torch.no_grad()
def nats_in_order(
    model: TokenModel,
    tokens: Int[Tensor, "batch position"],
    mask_token: int,
    order: FillingOrder,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " batch"]:
    """Return -log p(tokens) in nats per row, if the model fills one position per call.

    Every order gives a distribution that sums to one, also `confident`, because the
    next position depends only on what is visible.

    Raises:
        ValueError: If the order is unknown.
    """
    if order not in get_args(FillingOrder):
        known = ", ".join(get_args(FillingOrder))
        raise ValueError(f"order must be one of {known}; got {order!r}.")
    noisy, nats = torch.full_like(tokens, mask_token), 0.0
    fixed = -torch.arange(tokens.shape[1]).expand(tokens.shape).to(tokens.device)
    if order == "random":
        fixed = torch.rand(tokens.shape, generator=generator).to(tokens.device)
    for _ in range(tokens.shape[1]):
        log_p = token_log_probabilities(model(noisy), mask_token)
        score: Any = log_p.amax(dim=-1) if order == "confident" else fixed
        score = score.double().masked_fill(noisy != mask_token, -math.inf)
        place = score.argmax(dim=1, keepdim=True)
        true = tokens.gather(1, place)
        at_place = log_p[torch.arange(len(tokens), device=tokens.device), place[:, 0]]
        nats = nats - at_place.gather(1, true)[:, 0]
        noisy = noisy.scatter(1, place, true)
    return nats


def _log_probability(logits: Tensor, tokens: Tensor, mask_token: int) -> Tensor:
    log_p = token_log_probabilities(logits, mask_token)
    return log_p.gather(-1, tokens[..., None])[..., 0]
