"""Beam search: keep the most probable texts of each length, not only the best one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.transformer import DecoderLM

from .constraint import Constraint, mask_logits
from .generate import next_token_logits


@dataclass(frozen=True)
class Hypothesis:
    """A continuation that beam search has found.

    Attributes:
        tokens: The new tokens, the end token included.
        log_prob: The log-probability of the tokens under the model, in nats.
        score: The log-probability divided by the number of tokens to the power of the
            length penalty.
    """

    tokens: tuple[int, ...]
    log_prob: float
    score: float


@torch.no_grad()
def beam_search(
    model: DecoderLM,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    *,
    beams: int = 4,
    length_penalty: float | int = 1.0,
    end_tokens: Collection[int] = (),
    constraint: Constraint | None = None,
) -> list[Hypothesis]:
    """Return the best finished continuations of one text, best first, at most one per
    beam.

    Each step continues all beams by all tokens and keeps the most probable texts. Those
    among the best that end are finished; the others go on, until none of them can beat
    the worst of the finished ones at its present length.

    Args:
        model: The model whose probabilities count.
        prompt_ids: The text to continue.
        max_new_tokens: Maximum number of new tokens; a text that reaches it is
            finished.
        beams: The number of texts that are kept; 1 is greedy decoding.
        length_penalty: Each text is scored by its log-probability divided by its length
            to this power. A longer text is less probable, so 0 favours short texts, 1
            compares the average per token.
        end_tokens: The tokens that finish a text.
        constraint: Says which tokens may be drawn; the others' probability is not
            shared among those that remain.

    Raises:
        ValueError: If a number is out of range, the prompt is empty, or the constraint
            leaves a beam no token.

    Source: Lowerre, The Harpy speech recognition system (1976); Wu et al., Google's
    neural machine translation system, section 7, https://arxiv.org/abs/1609.08144
    """
    _check(prompt_ids, max_new_tokens, beams)
    device = model.token_embedding.weight.device
    running, finished = [Hypothesis((), 0.0, 0.0)], []
    room = min(len(prompt_ids) + max_new_tokens, model.config.context_length)
    cache = model.make_cache(1, room)
    for length in range(1, max_new_tokens + 1):
        ids = torch.tensor(
            [[*prompt_ids, *text.tokens] for text in running], device=device
        )
        log_probs = next_token_logits(model, ids, cache).log_softmax(dim=-1)
        if constraint is not None:
            drawn = [text.tokens for text in running]
            left = max_new_tokens - length + 1
            log_probs = mask_logits(
                log_probs, constraint, drawn, left, [True] * len(drawn)
            )
        kept = max(2, 1 + len(set(end_tokens))) * beams
        candidates, parents = _continue(running, log_probs, kept, length_penalty)
        ends = [
            text.tokens[-1] in end_tokens or length == max_new_tokens
            for text in candidates
        ]
        ended = [candidates[row] for row in range(len(ends))[:beams] if ends[row]]
        finished = sorted([*finished, *ended], key=lambda text: -text.score)[:beams]
        going_on = [row for row, end in enumerate(ends) if not end][:beams]
        running = [candidates[row] for row in going_on]
        if not running or _is_settled(running[0], finished, beams):
            break
        cache.select([parents[row] for row in going_on])
    return finished


def _continue(
    running: list[Hypothesis],
    log_probs: Float[Tensor, "beam vocab"],
    count: int,
    length_penalty: float | int,
) -> tuple[list[Hypothesis], list[int]]:
    """Return the most probable continuations by one token, and the beam of each."""
    before = torch.tensor([text.log_prob for text in running]).to(log_probs)
    totals = (before[:, None] + log_probs).flatten()
    values, places = totals.topk(min(count, len(totals)))
    candidates, parents = [], []
    for total, place in zip(values.tolist(), places.tolist(), strict=True):
        if total == -torch.inf:
            break
        parent, token = divmod(place, log_probs.shape[1])
        tokens = (*running[parent].tokens, token)
        score = total / len(tokens) ** length_penalty
        candidates.append(Hypothesis(tokens, total, score))
        parents.append(parent)
    return candidates, parents


def _is_settled(
    best_running: Hypothesis, finished: list[Hypothesis], beams: int
) -> bool:
    """Return whether as many texts are finished as there are beams, and the best of the
    others does not beat the worst of them.
    """
    return len(finished) == beams and best_running.score <= finished[-1].score


def _check(prompt_ids: Sequence[int], max_new_tokens: int, beams: int) -> None:
    if not len(prompt_ids):
        raise ValueError(
            "The prompt must have at least one token. Start an empty text with a "
            "newline."
        )
    if max_new_tokens < 1 or beams < 1:
        raise ValueError(
            f"max_new_tokens and beams must be at least 1, got {max_new_tokens} and "
            f"{beams}."
        )
