"""The generation loop: predict, draw a token, append it, repeat."""

from collections.abc import Collection, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import AttentionContext, DecoderLM, KVCache

from .constraint import Constraint, mask_logits
from .penalties import LogitsProcessor
from .sampling import next_token_probabilities
from .stopping import Stop


@torch.no_grad()
def generate(
    model: nn.Module,
    prompt_ids: Int[Tensor, "batch position"],
    max_new_tokens: int,
    *,
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    min_p: float | int | None = None,
    processor: LogitsProcessor | None = None,
    stop_tokens: Collection[int] = (),
    stop: Stop | None = None,
    constraint: Constraint | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch length"]:
    """Return the prompts, each continued by tokens drawn from the model one at a time.

    The context window is the last `model.config.context_length` tokens. As long as the
    whole text fits into it, a `DecoderLM` processes each token once, with a `KVCache`.
    A row that draws a stop token is finished, and repeats its last token until all rows
    are.

    Args:
        model: Maps ids to logits, such as a `DecoderLM`.
        prompt_ids: The prompts, of one token or more.
        max_new_tokens: Maximum number of tokens to add.
        temperature: See `next_token_probabilities`, as for the next three; 0 is greedy
            decoding.
        top_k: Keep this many tokens.
        top_p: Keep the smallest set of tokens with this probability.
        min_p: Keep the tokens at least this many times as probable as the best.
        processor: Changes the logits according to the text so far, prompt included,
            such as a `repetition_penalty`.
        stop_tokens: The tokens that finish a row.
        stop: Says whether a row's new tokens finish it, such as a `StopAtText`.
        constraint: Says which tokens a row may draw, such as a `ConstrainedText`.
        generator: Random generator of the draws; None for torch's global one.

    Raises:
        ValueError: If the prompt is empty, `max_new_tokens` is negative, a sampling
            argument is out of range, or the constraint leaves a row no token.

    Source: Radford et al., Language Models are Unsupervised Multitask Learners, section
    2 (equation 1, read forwards)
    """
    _check(prompt_ids, max_new_tokens)
    ids = prompt_ids
    stops = torch.tensor(sorted(stop_tokens), dtype=ids.dtype, device=ids.device)
    finished = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    cache = None
    if isinstance(model, DecoderLM):
        cache = model.make_cache(
            len(ids), min(ids.shape[1] + max_new_tokens, model.config.context_length)
        )
    start = ids.shape[1]
    for left in range(max_new_tokens, 0, -1):
        logits = next_token_logits(model, ids, cache)
        if processor is not None:
            logits = processor(logits, ids)
        if constraint is not None:
            drawn = ids[:, start:].tolist()
            logits = mask_logits(logits, constraint, drawn, left, (~finished).tolist())
        probabilities = next_token_probabilities(
            logits, temperature, top_k, top_p, min_p
        )
        chosen = draw(probabilities, generator).to(ids)
        ids = torch.cat(
            (ids, torch.where(finished, ids[:, -1], chosen)[:, None]), dim=1
        )
        finished |= torch.isin(chosen, stops)
        if stop is not None:
            finished |= torch.tensor(
                [stop(row) for row in ids[:, start:].tolist()], device=ids.device
            )
        if finished.all():
            break
    return ids


@torch.no_grad()
def stream(
    model: nn.Module,
    prompt_ids: Sequence[int],
    max_new_tokens: int,
    *,
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    min_p: float | int | None = None,
    processor: LogitsProcessor | None = None,
    stop_tokens: Collection[int] = (),
    stop: Stop | None = None,
    constraint: Constraint | None = None,
    generator: torch.Generator | None = None,
    cache: KVCache | None = None,
) -> Iterator[int]:
    """Yield the tokens that continue one text, each as soon as it is drawn; a stop
    token ends it and is not yielded, nor is the token that completes a text to stop at.

    Args:
        model: See `generate`, as for all arguments but the last.
        prompt_ids: The whole text so far.
        max_new_tokens: Maximum number of tokens to add.
        temperature: 0 is greedy decoding.
        top_k: Keep this many tokens.
        top_p: Keep the smallest set of tokens with this probability.
        min_p: Keep the tokens at least this many times as probable as the best.
        processor: Changes the logits according to the text so far, prompt included,
            such as a `repetition_penalty`.
        stop_tokens: The tokens that end the text.
        stop: Says whether the new tokens end the text.
        constraint: Says which tokens may be drawn.
        generator: Random generator of the draws.
        cache: A cache from `model.make_cache()`. In a conversation, pass the same one
            with each longer version of the text, and only the new tokens are processed.
            None makes a new cache.

    Raises:
        ValueError: If the prompt is empty, `max_new_tokens` is negative, a sampling
            argument is out of range, or the constraint leaves no token.
    """
    ids = torch.tensor([list(prompt_ids)], device=next(model.parameters()).device)
    _check(ids, max_new_tokens)
    if cache is None and isinstance(model, DecoderLM):
        cache = model.make_cache(
            1, min(ids.shape[1] + max_new_tokens, model.config.context_length)
        )
    if cache is not None:
        cache.keep(ids)
    drawn: list[int] = []
    for left in range(max_new_tokens, 0, -1):
        logits = next_token_logits(model, ids, cache)
        if processor is not None:
            logits = processor(logits, ids)
        if constraint is not None:
            logits = mask_logits(logits, constraint, [drawn], left, [True])
        chosen = draw(
            next_token_probabilities(logits, temperature, top_k, top_p, min_p),
            generator,
        ).to(ids)
        token = int(chosen)
        drawn.append(token)
        if token in stop_tokens or (stop is not None and stop(drawn)):
            return
        yield token
        ids = torch.cat((ids, chosen[None]), dim=1)


def next_token_logits(
    model: nn.Module, ids: Int[Tensor, "batch position"], cache: KVCache | None = None
) -> Float[Tensor, "batch vocab"]:
    """Return the logits of the token after the last one in each row."""
    if cache is not None and ids.shape[1] <= cache.length:
        unread = ids[:, cache.lengths[0] :]
        hidden = model.read(unread, AttentionContext.cached(cache))
        return model.logits(hidden[:, -1:])[:, 0]  # of the last position
    return model(ids[:, -model.config.context_length :])[:, -1]


def draw(
    probabilities: Tensor, generator: torch.Generator | None = None
) -> Int[Tensor, "batch"]:
    """Draw one token for each row of probabilities."""
    if generator is not None:
        # a generator draws only on its own device
        probabilities = probabilities.to(generator.device)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def _check(prompt_ids: Tensor, max_new_tokens: int) -> None:
    if prompt_ids.shape[0] < 1 or prompt_ids.shape[1] < 1:
        raise ValueError(
            "prompt_ids must hold at least one row of at least one token, got the "
            f"shape {tuple(prompt_ids.shape)}. "
            "Start an empty text with a newline."
        )
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must be 0 or more, got {max_new_tokens}.")
