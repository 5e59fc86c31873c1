"""Parallel decoding: a masked diffusion model fills in a text, several tokens per call.

A rule decides which of the tokens that a call has drawn are kept; the others stay
masked. Read `unmask`, then the three rules.
"""

from dataclasses import dataclass
from typing import Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .masked import FillingOrder, TokenModel, token_log_probabilities


@runtime_checkable
class UnmaskingRule(Protocol):
    """Chooses the positions that a call fills."""

    def choose(
        self,
        log_probabilities: Float[Tensor, "batch position vocab"],
        drawn: Int[Tensor, "batch position"],
        masked: Bool[Tensor, "batch position"],
        generator: torch.Generator | None = None,
    ) -> Bool[Tensor, "batch position"]:
        """Return True where the drawn token is kept: at least at one masked position of
        each row that has one.
        """
        ...


@dataclass(frozen=True)
class Quota:
    """Keep a fixed number of tokens per call; in the order `confident`, those that were
    drawn with the highest probabilities.

    Raises:
        ValueError: If the number is below 1, or the order is unknown.

    Source: Nie et al., Large Language Diffusion Models, algorithm 5,
    https://arxiv.org/abs/2502.09992
    """

    per_call: int
    order: FillingOrder = "confident"

    def __post_init__(self):
        _check_count("per_call", self.per_call)
        if self.order not in get_args(FillingOrder):
            known = ", ".join(get_args(FillingOrder))
            raise ValueError(f"order must be one of {known}; got {self.order!r}.")

    def choose(
        self,
        log_probabilities: Float[Tensor, "batch position vocab"],
        drawn: Int[Tensor, "batch position"],
        masked: Bool[Tensor, "batch position"],
        generator: torch.Generator | None = None,
    ) -> Bool[Tensor, "batch position"]:
        """Return True at the next positions in the rule's order."""
        if self.order == "confident":
            score = _of_drawn(log_probabilities, drawn)
        elif self.order == "random":
            score = torch.rand(drawn.shape, generator=generator).to(drawn.device)
        else:
            score = -torch.arange(drawn.shape[1], device=drawn.device).float()
            score = score.expand(drawn.shape)
        return _best(score, masked, self.per_call)


@dataclass(frozen=True)
class Threshold:
    """Keep every token with a probability above a threshold; if fewer than `at_least`
    are, keep the `at_least` most probable ones.

    Raises:
        ValueError: If `at_least` is below 1, or the threshold is not above 0.

    Source: Wu et al., Fast-dLLM, algorithm 1, https://arxiv.org/abs/2505.22618
    """

    threshold: float | int
    at_least: int = 1

    def __post_init__(self):
        _check_count("at_least", self.at_least)
        if not self.threshold > 0:
            raise ValueError(f"threshold must be above 0, got {self.threshold}.")

    def choose(
        self,
        log_probabilities: Float[Tensor, "batch position vocab"],
        drawn: Int[Tensor, "batch position"],
        masked: Bool[Tensor, "batch position"],
        generator: torch.Generator | None = None,
    ) -> Bool[Tensor, "batch position"]:
        """Return True where the drawn token is probable enough."""
        score = _of_drawn(log_probabilities, drawn)
        sure = (score.exp() > self.threshold) & masked
        enough = sure.sum(dim=1, keepdim=True) >= self.at_least
        return torch.where(enough, sure, _best(score, masked, self.at_least))


@dataclass(frozen=True)
class EntropyBound:
    """Keep the positions with the lowest entropies, as long as the entropies of all of
    them but the largest sum to at most a bound in nats.

    The sum bounds how far the kept tokens, drawn independently, are from a draw in
    which each sees the others.

    Raises:
        ValueError: If the bound is negative.

    Source: Ben-Hamu et al., Accelerated Sampling from Masked Diffusion Models via
    Entropy Bounded Unmasking, section 4, https://arxiv.org/abs/2505.24857
    """

    bound: float | int

    def __post_init__(self):
        if not self.bound >= 0:
            raise ValueError(f"bound must be at least 0 nats, got {self.bound}.")

    def choose(
        self,
        log_probabilities: Float[Tensor, "batch position vocab"],
        drawn: Int[Tensor, "batch position"],
        masked: Bool[Tensor, "batch position"],
        generator: torch.Generator | None = None,
    ) -> Bool[Tensor, "batch position"]:
        """Return True at the positions with the lowest entropies."""
        entropies = torch.special.entr(log_probabilities.exp()).sum(dim=-1)
        entropies = entropies.masked_fill(~masked, torch.inf)
        ordered, places = entropies.sort(dim=1)
        before = ordered.cumsum(dim=1) - ordered  # without the position's own
        kept = torch.zeros_like(masked).scatter(1, places, before <= self.bound)
        return kept & masked


@dataclass(frozen=True)
class Unmasked:
    """Filled rows, and when each position was filled.

    Attributes:
        calls: How many calls of the model each row has needed.
        filled_at: The call in which each token was kept, from 1; 0 for tokens that were
            given.
    """

    tokens: Int[Tensor, "batch position"]
    calls: Int[Tensor, " batch"]
    filled_at: Int[Tensor, "batch position"]

    def after(self, call: int, mask_token: int) -> Int[Tensor, "batch position"]:
        """Return the rows as they were after a call."""
        return self.tokens.masked_fill(self.filled_at > call, mask_token)


@torch.no_grad()
def unmask(
    model: TokenModel,
    tokens: Int[Tensor, "batch position"],
    rule: UnmaskingRule,
    mask_token: int,
    *,
    temperature: float | int = 1.0,
    generator: torch.Generator | None = None,
) -> Unmasked:
    """Fill all masked positions: each call draws a token for every one of them, and the
    rule decides which are kept.

    Args:
        model: Returns logits for each position of a batch of rows.
        tokens: Rows with `mask_token` where a token is missing.
        temperature: Divides the logits; 0 takes the most probable tokens.

    Raises:
        ValueError: If the temperature is negative, or the rule keeps nothing in a row
            that has a mask.

    Source: Nie et al., Large Language Diffusion Models, algorithm 4,
    https://arxiv.org/abs/2502.09992
    """
    if not temperature >= 0:
        raise ValueError(f"temperature must be at least 0, got {temperature}.")
    filled_at = torch.zeros_like(tokens)
    calls = torch.zeros_like(tokens[:, 0])
    while (masked := tokens == mask_token).any():
        log_p = token_log_probabilities(model(tokens), mask_token)
        drawn = log_p.argmax(dim=-1)
        if temperature > 0:
            log_p = (log_p / temperature).log_softmax(dim=-1)
            drawn = _draw(log_p.exp(), generator)
        kept = rule.choose(log_p, drawn, masked, generator) & masked
        if (masked.any(dim=1) & ~kept.any(dim=1)).any():
            raise ValueError(f"{rule} keeps no token in a row that has masks.")
        calls = calls + masked.any(dim=1)
        tokens = torch.where(kept, drawn, tokens)
        filled_at = torch.where(kept, calls[:, None], filled_at)
    return Unmasked(tokens, calls, filled_at)


def _draw(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    rows = probabilities.flatten(0, -2)
    drawn = torch.multinomial(rows.cpu(), 1, generator=generator)
    return drawn.view(probabilities.shape[:-1]).to(probabilities.device)


def _of_drawn(log_probabilities: Tensor, drawn: Tensor) -> Tensor:
    return log_probabilities.gather(-1, drawn[..., None])[..., 0]


def _best(score: Tensor, masked: Tensor, count: int) -> Tensor:
    """Return True at the masked positions with the `count` highest scores."""
    score = score.masked_fill(~masked, -torch.inf)
    rank = score.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return (rank < count) & masked


def _check_count(name: str, count: int) -> None:
    if count < 1:
        raise ValueError(f"{name} must be at least 1, got {count}.")
