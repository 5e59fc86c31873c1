"""Rollouts: answers to a batch of prompts of different lengths, with the probability of
every token. Prompts are right-padded, and the cache stores where each row's text ends,
so an answer begins directly after its prompt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import AttentionContext, DecoderLM

from .constrained import Constraint, mask_logits
from .generate import Stop, draw
from .prefix import copy_rows, read_prefix, room_for, shared_length
from .sampling import next_token_probabilities


@dataclass(frozen=True)
class Rollouts:
    """Prompts with a model's answers. Step t predicts the token at position t + 1.

    Attributes:
        ids: In each row a prompt, its answer and padding.
        lengths: Number of tokens in each prompt and answer together.
        finished: True for each answer that has an end token.
        log_probs: The log-probability of each token of the answers when it was drawn; 0
            at other steps.
        stopped: True for each answer that `stop` ended; None if there was no such rule.
    """

    ids: Int[Tensor, "batch position"]
    prompt_lengths: Int[Tensor, "batch"]
    lengths: Int[Tensor, "batch"]
    finished: Bool[Tensor, "batch"]
    log_probs: Float[Tensor, "batch step"]
    stopped: Bool[Tensor, "batch"] | None = None

    @property
    def is_answer(self) -> Bool[Tensor, "batch position"]:
        """True for each token that belongs to an answer, its end token included."""
        positions = torch.arange(self.ids.shape[1], device=self.ids.device)
        return (positions >= self.prompt_lengths[:, None]) & (
            positions < self.lengths[:, None]
        )

    @property
    def mask(self) -> Bool[Tensor, "batch step"]:
        """True for each step that predicts a token of an answer."""
        return self.is_answer[:, 1:]

    def answers(self) -> list[list[int]]:
        """Return the tokens of each answer, without its end token."""
        starts = self.prompt_lengths.tolist()
        ends = (self.lengths - self.finished.long()).tolist()
        return [
            row[start:end]
            for row, start, end in zip(self.ids.tolist(), starts, ends, strict=True)
        ]


Score = Callable[[Rollouts], Float[Tensor, "batch"]]
"""A function that scores each answer: a reward model, a rule, or a verifier."""


@torch.no_grad()
def generate_rollouts(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    end_token: int,
    temperature: float | int = 1.0,
    top_k: int | None = None,
    stop: Stop | None = None,
    constraint: Constraint | None = None,
    share_prefix: bool = False,
    generator: torch.Generator | None = None,
) -> Rollouts:
    """Sample an answer to each prompt, all in one batch with a `KVCache`.

    Args:
        prompts: The tokens of each prompt; their lengths may differ.
        max_new_tokens: Maximum number of tokens in an answer, its end token included.
        temperature: See `next_token_probabilities`, as for `top_k`. `log_probs` always
            come from the model itself, at temperature 1 and with every token allowed,
            so use 1 to learn from the rollouts; 0 gives the greedy answers.
        stop: Says whether an answer's tokens finish it, such as a `StopAtText`; the
            answer still contains the text that it stopped at.
        constraint: Says which tokens each answer may continue with, such as a
            `ForbiddenTokens`.
        share_prefix: Read the tokens that all prompts begin with once instead of once
            per prompt. The results differ by rounding errors.

    Raises:
        ValueError: If there is no prompt, one is empty, a prompt with its answer may
            not fit into the context window, or the constraint leaves a row no token.
    """
    room = room_for(model, prompts, max_new_tokens)
    longest = room - max_new_tokens
    device = model.token_embedding.weight.device
    batch = len(prompts)
    rows = torch.arange(batch, device=device)
    prompt_lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
    ids = torch.tensor(
        [[*prompt, *[PADDING] * (room - len(prompt))] for prompt in prompts],
        device=device,
    )
    log_probs = model.token_embedding.weight.new_zeros(batch, room - 1)
    read_before = shared_length(prompts) if share_prefix else 0
    cache = copy_rows(read_prefix(model, prompts[0][:read_before], room), batch)
    lengths = prompt_lengths
    running = torch.ones(batch, dtype=torch.bool, device=device)
    stopped = torch.zeros_like(running)
    drawn: list[list[int]] = [[] for _ in prompts]
    unread, new = ids[:, read_before:longest], prompt_lengths - read_before
    for left in range(max_new_tokens, 0, -1):
        read = model.read(unread, AttentionContext.cached(cache, new))
        # The last token of each row's text; a finished row has read nothing, and its
        # output is not used.
        logits = model.logits(read[rows, (new - 1).clamp(min=0)][:, None])[:, 0]
        masked = logits
        if constraint is not None:
            masked = mask_logits(logits, constraint, drawn, left, running.tolist())
        probabilities = next_token_probabilities(masked, temperature, top_k)
        chosen = draw(probabilities, generator).to(ids)
        ids[rows, lengths] = torch.where(running, chosen, PADDING)
        log_probs[rows, lengths - 1] += (
            running * logits.log_softmax(dim=-1)[rows, chosen]
        )
        lengths = lengths + running
        for tokens, token in zip(drawn, chosen.tolist(), strict=True):
            tokens.append(token)
        running = running & (chosen != end_token)
        if stop is not None:
            ends = torch.tensor([stop(tokens) for tokens in drawn], device=device)
            stopped, running = stopped | (running & ends), running & ~ends
        if not running.any():
            break
        unread, new = chosen[:, None], running.long()
    longest = int(lengths.max())
    return Rollouts(
        ids[:, :longest],
        prompt_lengths,
        lengths,
        ~running & ~stopped,
        log_probs[:, : longest - 1],
        None if stop is None else stopped,
    )


def select_rollouts(rollouts: Rollouts, rows: Int[Tensor, "part"]) -> Rollouts:
    """Return some rows of rollouts, in the given order, without positions that are
    padding in all of them.
    """
    longest = int(rollouts.lengths[rows].max())
    return Rollouts(
        rollouts.ids[rows, :longest],
        rollouts.prompt_lengths[rows],
        rollouts.lengths[rows],
        rollouts.finished[rows],
        rollouts.log_probs[rows, : longest - 1],
        None if rollouts.stopped is None else rollouts.stopped[rows],
    )


def join_rollouts(parts: Sequence[Rollouts]) -> Rollouts:
    """Return the rows of several rollouts as one, with padding up to the longest row.

    Raises:
        ValueError: If there are no parts.
    """
    if not parts:
        raise ValueError("There must be at least one part to join, got none.")
    longest = max(part.ids.shape[1] for part in parts)
    stopped = [part.stopped for part in parts if part.stopped is not None]

    def pad(numbers: Tensor, length: int) -> Tensor:
        return functional.pad(numbers, (0, length - numbers.shape[1]), value=PADDING)

    return Rollouts(
        torch.cat([pad(part.ids, longest) for part in parts]),
        torch.cat([part.prompt_lengths for part in parts]),
        torch.cat([part.lengths for part in parts]),
        torch.cat([part.finished for part in parts]),
        torch.cat([pad(part.log_probs, longest - 1) for part in parts]),
        torch.cat(stopped) if len(stopped) == len(parts) else None,
    )
