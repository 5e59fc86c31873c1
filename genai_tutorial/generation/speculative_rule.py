"""The rule of speculative sampling: which drafted tokens to accept, so that the text is
distributed exactly as if the target model had written it alone, and what that saves.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Accepted:
    """The outcome of one round of speculative sampling.

    Attributes:
        ids: The new tokens of each row: the accepted ones, and one more that the target
            chose; then -1 up to the end of the row.
        counts: The number of accepted tokens in each row.
    """

    ids: Int[Tensor, "batch positions"]
    counts: Int[Tensor, "batch"]


def speculative_accept(
    draft_ids: Int[Tensor, "batch drafted"],
    draft_probabilities: Float[Tensor, "batch drafted vocab"],
    target_probabilities: Float[Tensor, "batch positions vocab"],
    generator: torch.Generator | None = None,
) -> Accepted:
    r"""Accept drafted tokens from left to right, and let the target choose the first
    one that follows.

    A drafted token x is accepted with probability $\min(1, p(x) / q(x))$. The first
    rejected one is replaced by a draw from the residual, $\max(p - q, 0)$ rescaled to
    sum to one; if none is rejected, the target adds one more token. Each new token then
    has the distribution p of the target, whatever q is.

    Args:
        draft_ids: The drafted tokens.
        draft_probabilities: q, which each token was drawn from: after the temperature
            and the filters, not before.
        target_probabilities: p at the position of each drafted token and at the one
            after them, so one row more, with the same temperature and filters.
        generator: Random generator of the draws; None for torch's global one.

    Raises:
        ValueError: If the shapes do not match, a row of probabilities does not sum to
            one, or a drafted token has probability 0 in its q.

    Source: Leviathan, Kalman and Matias, Fast Inference from Transformers via
        Speculative Decoding, algorithm 1, https://arxiv.org/abs/2211.17192; Chen et
        al., https://arxiv.org/abs/2302.01318 (theorem 1)

    >>> q = torch.tensor([[[0.5, 0.5]]])  # drafts one token
    >>> p = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])  # wants 0, and after it 1
    >>> speculative_accept(torch.tensor([[0]]), q, p).ids
    tensor([[0, 1]])
    >>> speculative_accept(torch.tensor([[1]]), q, p).ids
    tensor([[ 0, -1]])
    """
    _check(draft_ids, draft_probabilities, target_probabilities)
    batch, drafted = draft_ids.shape
    p = _of_tokens(target_probabilities[:, :drafted], draft_ids)
    q = _of_tokens(draft_probabilities, draft_ids)
    chance = torch.rand(p.shape, generator=generator, dtype=p.dtype).to(p.device)
    counts = (chance * q < p).long().cumprod(dim=1).sum(dim=1)
    # After the last drafted token there is no q, and the residual is p itself.
    no_draft = draft_probabilities.new_zeros(batch, 1, draft_probabilities.shape[2])
    rows = torch.arange(batch, device=draft_ids.device)
    residual = residual_probabilities(
        target_probabilities[rows, counts],
        torch.cat((draft_probabilities, no_draft), dim=1)[rows, counts],
    )
    if generator is not None:
        residual = residual.to(generator.device)  # a generator draws on its own device
    chosen = torch.multinomial(residual, 1, generator=generator).to(draft_ids)
    ids = torch.cat((draft_ids, chosen), dim=1)
    ids[rows, counts] = chosen[:, 0]
    beyond = torch.arange(drafted + 1, device=ids.device) > counts[:, None]
    return Accepted(ids.masked_fill(beyond, -1), counts)


def residual_probabilities(
    target_probabilities: Float[Tensor, "*batch vocab"],
    draft_probabilities: Float[Tensor, "*batch vocab"],
) -> Float[Tensor, "*batch vocab"]:
    """Return what the draft proposes too rarely, max(p - q, 0), rescaled to sum to one;
    p itself where the two are equal and nothing is left.
    """
    left = (target_probabilities - draft_probabilities).clamp(min=0)
    total = left.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, left / total, target_probabilities)


def acceptance_rate(
    target_probabilities: Float[Tensor, "*batch vocab"],
    draft_probabilities: Float[Tensor, "*batch vocab"],
) -> Float[Tensor, "*batch"]:
    r"""Return the probability that a drafted token is accepted: $\sum_x \min(p(x),
    q(x))$, which is one minus the total variation distance.

    Source: Leviathan et al., theorem 3.5, https://arxiv.org/abs/2211.17192

    >>> p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.7, 0.1])
    >>> acceptance_rate(p, q)
    tensor(0.6000)
    """
    return torch.minimum(target_probabilities, draft_probabilities).sum(dim=-1)


def expected_tokens(acceptance: float | int, drafted: int) -> float:
    r"""Return the expected number of new tokens per pass of the target, $(1 - a^{k+1})
    / (1 - a)$, if each of the k drafted tokens is accepted independently.

    Raises:
        ValueError: If the acceptance is no probability, or `drafted` is negative.

    Source: Leviathan et al., equation 1, https://arxiv.org/abs/2211.17192

    >>> expected_tokens(0.5, drafted=2)  # 1 + 0.5 + 0.25
    1.75
    """
    if not 0 <= acceptance <= 1 or drafted < 0:
        raise ValueError(
            "acceptance must be from 0 to 1 and drafted 0 or more, got "
            f"{acceptance} and {drafted}."
        )
    return float(sum(acceptance**place for place in range(drafted + 1)))


def speculative_speedup(
    acceptance: float | int,
    drafted: int,
    draft_cost: float | int,
    verify_cost: float | int = 1.0,
) -> float:
    """Return how many times as fast as plain decoding speculative decoding is.

    Args:
        acceptance: The probability that a drafted token is accepted.
        drafted: The number of drafted tokens per round.
        draft_cost: The time of one pass of the draft, as a multiple of the time in
            which the target reads one token.
        verify_cost: The same for the target's pass over the drafted tokens and one
            more; 1 where a pass costs the same for one token and for several.

    Raises:
        ValueError: If a number is out of range.

    Source: Leviathan et al., theorem 3.8 (with a verifying pass at the price of 1),
        https://arxiv.org/abs/2211.17192

    >>> round(speculative_speedup(0.8, drafted=4, draft_cost=0.1), 2)
    2.4
    >>> round(speculative_speedup(0.2, drafted=4, draft_cost=0.1), 2)  # a bad draft
    0.89
    """
    if draft_cost < 0 or verify_cost <= 0:
        raise ValueError(
            "draft_cost must be 0 or more and verify_cost above 0, got "
            f"{draft_cost} and {verify_cost}."
        )
    return expected_tokens(acceptance, drafted) / (drafted * draft_cost + verify_cost)


def _of_tokens(probabilities: Tensor, ids: Tensor) -> Tensor:
    return probabilities.gather(2, ids[..., None])[..., 0]


def _check(ids: Tensor, q: Tensor, p: Tensor) -> None:
    batch, drafted = ids.shape
    wanted = (batch, drafted, p.shape[2]), (batch, drafted + 1, q.shape[2])
    if (tuple(q.shape), tuple(p.shape)) != wanted:
        raise ValueError(
            f"For {batch} rows of {drafted} drafted tokens, draft_probabilities have "
            f"the shape [{batch}, {drafted}, vocab] and target_probabilities "
            f"[{batch}, {drafted + 1}, vocab]; got {list(q.shape)} and "
            f"{list(p.shape)}."
        )
    for name, rows in (("draft", q), ("target", p)):
        if rows.numel() and (rows.sum(dim=-1) - 1).abs().max() > 1e-3:
            raise ValueError(
                f"Each row of {name}_probabilities must sum to 1. Turn logits into "
                "probabilities with `next_token_probabilities`."
            )
    if drafted and _of_tokens(q, ids).min() <= 0:
        raise ValueError(
            "A drafted token has probability 0 in its draft_probabilities, so it was "
            "not drawn from them. Pass those after the temperature and the filters."
        )
