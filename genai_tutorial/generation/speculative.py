"""Speculative decoding: a cheap draft proposes several tokens, and the target model
checks them all in one forward pass. The draft is a smaller model, or tokens copied from
the text itself (prompt lookup).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.transformer import AttentionContext, DecoderLM, KVCache

from .generate import draw, next_token_logits
from .sampling import next_token_probabilities
from .speculative_rule import speculative_accept

_Draft = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""Called as `draft(ids, count)` with the text so far; returns up to `count` tokens that
may continue it, and the probabilities that each was drawn from.
"""


_LONGEST_ENDING = 3  # of the text, which prompt lookup looks for


@dataclass(frozen=True)
class Sampling:
    """Temperature and filters that apply to target and draft alike; see
    `next_token_probabilities`.
    """

    temperature: float | int = 1.0
    top_k: int | None = None
    top_p: float | int | None = None

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities that tokens are drawn with."""
        return next_token_probabilities(
            logits, self.temperature, self.top_k, self.top_p
        )


@dataclass(frozen=True)
class Speculation:
    """A text written by speculative decoding, and what it cost.

    Attributes:
        ids: The text, prompt included.
        new_tokens: The number of tokens after the prompt.
        passes: The number of forward passes of the target, the prompt's included.
            Plain decoding takes one per new token.
        drafted: The number of drafted tokens that the target checked.
    """

    ids: Int[Tensor, "1 length"]
    new_tokens: int
    passes: int
    drafted: int
    accepted: int

    @property
    def tokens_per_pass(self) -> float:
        """The number of new tokens per pass of the target: how many times fewer passes
        it needs than plain decoding.
        """
        return self.new_tokens / max(1, self.passes)


def generate_speculatively(
    target: DecoderLM,
    draft: DecoderLM,
    prompt_ids: Int[Tensor, "batch position"],
    max_new_tokens: int,
    *,
    drafted: int = 4,
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    stop_tokens: Collection[int] = (),
    generator: torch.Generator | None = None,
) -> Speculation:
    """Continue a prompt as the target model would, with fewer passes of the target.

    The text has the same distribution as with `generate`, and at temperature 0 it is
    the same text, up to near ties that rounding decides.

    Args:
        target: The model whose text is wanted.
        draft: A cheaper model with the same vocabulary.
        prompt_ids: The prompt, one row of one token or more.
        max_new_tokens: Maximum number of tokens to add.
        drafted: The number of tokens that the draft proposes per round.
        temperature: See `next_token_probabilities`, as for `top_k` and `top_p`; applied
            to both models. 0 is greedy decoding.
        stop_tokens: The tokens that end the text; they are part of it.

    Raises:
        ValueError: If the vocabularies differ, the text does not fit into a context
            window, a model's cache cannot `rewind`, or a number is out of range.

    Source: Leviathan et al., algorithm 1, https://arxiv.org/abs/2211.17192
    """
    if target.config.vocab_size != draft.config.vocab_size:
        raise ValueError(
            "Target and draft must have the same vocabulary, got vocab_size="
            f"{target.config.vocab_size} and {draft.config.vocab_size}."
        )
    sampling = Sampling(temperature, top_k, top_p)
    _check(draft, prompt_ids, max_new_tokens, drafted)
    proposes = _model_draft(
        draft, prompt_ids.shape[1] + max_new_tokens, sampling, generator
    )
    return speculate(
        target,
        proposes,
        prompt_ids,
        max_new_tokens,
        drafted=drafted,
        sampling=sampling,
        stop_tokens=stop_tokens,
        generator=generator,
    )


@torch.no_grad()
def speculate(
    target: DecoderLM,
    draft: _Draft,
    prompt_ids: Int[Tensor, "batch position"],
    max_new_tokens: int,
    *,
    drafted: int,
    sampling: Sampling,
    stop_tokens: Collection[int] = (),
    generator: torch.Generator | None = None,
) -> Speculation:
    """Continue a prompt with any kind of draft; see `generate_speculatively`."""
    _check(target, prompt_ids, max_new_tokens, drafted)
    ids, start = prompt_ids, prompt_ids.shape[1]
    cache = target.make_cache(1, start + max_new_tokens)
    passes = checked = accepted = 0
    while (left := start + max_new_tokens - ids.shape[1]) > 0:
        # One token fewer than are left, because the target adds one itself.
        draft_ids, q = draft(ids, min(drafted, left - 1))
        text = torch.cat((ids, draft_ids), dim=1)
        hidden = target.read(
            text[:, cache.lengths[0] :], AttentionContext.cached(cache)
        )
        logits = target.logits(hidden[:, -draft_ids.shape[1] - 1 :])
        outcome = speculative_accept(
            draft_ids, q, sampling.probabilities(logits), generator
        )
        count = int(outcome.counts)
        new = outcome.ids[0, : count + 1].tolist()
        passes, checked = passes + 1, checked + draft_ids.shape[1]
        accepted += count
        ends = [place for place, token in enumerate(new, 1) if token in stop_tokens]
        new = new[: ends[0]] if ends else new
        ids = torch.cat((ids, ids.new_tensor([new])), dim=1)
        if ends:
            break
        cache.rewind(ids.shape[1] - 1)  # the target has not read its own token
    return Speculation(ids, ids.shape[1] - start, passes, checked, accepted)


def _model_draft(
    model: DecoderLM,
    length: int,
    sampling: Sampling,
    generator: torch.Generator | None = None,
) -> _Draft:
    """Return a draft that draws its tokens one at a time from a smaller model."""
    cache: KVCache = model.make_cache(1, length)

    @torch.no_grad()
    def propose(ids: Tensor, count: int) -> tuple[Tensor, Tensor]:
        cache.rewind(min(cache.lengths[0], ids.shape[1] - 1))
        start = ids.shape[1]
        drawn_from = []
        for _ in range(count):
            probabilities = sampling.probabilities(next_token_logits(model, ids, cache))
            drawn_from.append(probabilities)
            chosen = draw(probabilities, generator).to(ids)
            ids = torch.cat((ids, chosen[:, None]), dim=1)
        return ids[:, start:], _stack(drawn_from, model)

    return propose


def find_continuation(ids: Sequence[int], count: int) -> list[int]:
    """Return up to `count` tokens that followed the last tokens of a text where they
    occurred before; nothing if they did not.

    The longest of the text's endings that occurs twice decides, and of its occurrences
    the last one.

    Raises:
        ValueError: If `count` is negative.

    Source: Saxena, Prompt Lookup Decoding,
        https://github.com/apoorvumang/prompt-lookup-decoding

    >>> find_continuation([5, 6, 7, 8, 9, 5, 6], count=2)
    [7, 8]
    >>> find_continuation([5, 6, 7], count=2)
    []
    """
    if count < 0:
        raise ValueError(f"count must be 0 or more, got {count}.")
    ids = list(ids)
    for size in range(min(_LONGEST_ENDING, len(ids) - 1), 0, -1):
        ending = ids[-size:]
        for start in range(len(ids) - size - 1, -1, -1):
            if ids[start : start + size] == ending:
                return ids[start + size :][:count]
    return []


def generate_with_lookup(
    target: DecoderLM,
    prompt_ids: Int[Tensor, "batch position"],
    max_new_tokens: int,
    *,
    drafted: int = 4,
    stop_tokens: Collection[int] = (),
) -> Speculation:
    """Continue a prompt as the target model would by greedy decoding, with drafts
    copied from the text.

    It pays where the answer repeats the prompt: quoting, editing, summarizing. Copying
    is a draft that is certain of its tokens, so the rule of speculative sampling holds
    with q = 1.

    Args:
        prompt_ids: The prompt, one row of one token or more.
        max_new_tokens: Maximum number of tokens to add.
        drafted: Maximum number of tokens that are copied per round.
        stop_tokens: The tokens that end the text; they are part of it.

    Raises:
        ValueError: If the text does not fit into the context window, the target's cache
            cannot `rewind`, or a number is out of range.

    Source: Saxena, Prompt Lookup Decoding,
        https://github.com/apoorvumang/prompt-lookup-decoding
    """
    return speculate(
        target,
        _copying_draft(target),
        prompt_ids,
        max_new_tokens,
        drafted=drafted,
        sampling=Sampling(temperature=0),
        stop_tokens=stop_tokens,
    )


def _copying_draft(target: DecoderLM) -> _Draft:
    """Return a draft that copies the tokens of `find_continuation`."""

    def propose(ids: Tensor, count: int) -> tuple[Tensor, Tensor]:
        copied = find_continuation(ids[0].tolist(), count)
        tokens = ids.new_tensor([copied], dtype=torch.long)
        certain = functional.one_hot(tokens, target.config.vocab_size)
        return tokens, certain.to(target.token_embedding.weight.dtype)

    return propose


def _stack(rows: list[Tensor], model: DecoderLM) -> Tensor:
    if rows:
        return torch.stack(rows, dim=1)
    weight = model.token_embedding.weight
    return weight.new_zeros(1, 0, model.config.vocab_size)


def _check(
    model: DecoderLM, prompt_ids: Tensor, max_new_tokens: int, drafted: int
) -> None:
    if prompt_ids.shape[0] != 1 or prompt_ids.shape[1] < 1:
        raise ValueError(
            "prompt_ids must be one row of at least one token, got the shape "
            f"{tuple(prompt_ids.shape)}."
        )
    if max_new_tokens < 0 or drafted < 1:
        raise ValueError(
            "max_new_tokens must be 0 or more and drafted at least 1, got "
            f"{max_new_tokens} and {drafted}."
        )
    length = prompt_ids.shape[1] + max_new_tokens
    if length > model.config.context_length:
        raise ValueError(
            f"A context window holds {model.config.context_length} tokens; the prompt "
            f"and {max_new_tokens} new tokens are {length}. Ask for fewer."
        )
