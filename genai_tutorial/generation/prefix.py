"""Many prompts with one beginning: the shared prefix is read once, and its keys and
values are copied to every row; then each prompt gets an answer, or given options get a
score.
"""

import copy
from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import AttentionContext, DecoderLM, KVCache

from .constrained import Constraint, mask_row
from .generate import Stop, draw
from .sampling import next_token_probabilities


@torch.no_grad()
def generate_all(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    end_tokens: Collection[int] = (),
    stop: Stop | None = None,
    temperature: float | int = 0.0,
    batch_size: int = 64,
    constraints: Sequence[Constraint] | None = None,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Return the tokens of an answer to each prompt, in the order of the prompts.

    The tokens that all prompts begin with are read once. Prompts of similar lengths
    share a batch, and a row leaves its batch as soon as it is finished. The answers are
    those to each prompt alone; the log-probabilities differ by rounding errors.

    Args:
        prompts: The tokens of each prompt; their lengths may differ.
        max_new_tokens: Maximum number of tokens in an answer.
        end_tokens: Tokens that end an answer and do not belong to it.
        stop: Says whether an answer's tokens finish it; the answer contains them all.
        temperature: See `next_token_probabilities`; 0 is greedy decoding.
        batch_size: Maximum number of prompts in a batch.
        constraints: Says for each prompt which tokens its answer may have.

    Raises:
        ValueError: If there is no prompt, one is empty, a prompt with its answer may
            not fit into the context window, a number is below 1, there is not one
            constraint per prompt, or a constraint leaves a row no token.

    Source: Kwon et al., Efficient Memory Management for Large Language Model Serving
        with PagedAttention, section 4.4 (shared prefix),
        https://arxiv.org/abs/2309.06180
    """
    room = room_for(model, prompts, max_new_tokens)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    if constraints is not None and len(constraints) != len(prompts):
        raise ValueError(
            f"There are {len(prompts)} prompts and {len(constraints)} constraints: "
            "give one for each prompt."
        )
    shared = shared_length(prompts)
    prefix = read_prefix(model, prompts[0][:shared], room)
    answers: list[list[int]] = [[] for _ in prompts]
    by_length = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    for start in range(0, len(prompts), batch_size):
        numbers = by_length[start : start + batch_size]
        cache = copy_rows(prefix, len(numbers))
        unread = [prompts[number][shared:] for number in numbers]
        while numbers:
            hidden = read_rows(model, cache, unread)
            last = torch.tensor([len(row) - 1 for row in unread], device=hidden.device)
            rows = torch.arange(len(numbers), device=hidden.device)
            logits = model.logits(hidden[rows, last][:, None])[:, 0]
            if constraints is not None:
                for row, number in enumerate(numbers):
                    left = max_new_tokens - len(answers[number])
                    logits[row] = mask_row(
                        logits[row], constraints[number], answers[number], left
                    )
            probabilities = next_token_probabilities(logits, temperature)
            chosen = draw(probabilities, generator).tolist()
            running = []
            for row, (number, token) in enumerate(zip(numbers, chosen, strict=True)):
                if token in end_tokens:
                    continue
                answer = answers[number]
                answer.append(token)
                stopped = stop is not None and stop(answer)
                if len(answer) < max_new_tokens and not stopped:
                    running.append(row)
            if running and len(running) < len(numbers):
                cache.select(running)
            numbers = [numbers[row] for row in running]
            unread = [[chosen[row]] for row in running]
    return answers


def shared_length(prompts: Sequence[Sequence[int]]) -> int:
    """Return the number of tokens that all prompts begin with, leaving at least one
    token of each to be read.

    >>> shared_length([[5, 6, 7, 8], [5, 6, 9], [5, 6, 7]])
    2
    >>> shared_length([[5, 6], [5, 6]])
    1
    """
    shared = 0
    for tokens in zip(*(prompt[:-1] for prompt in prompts), strict=False):
        if len(set(tokens)) > 1:
            break
        shared += 1
    return shared


def read_prefix(model: DecoderLM, prefix: Sequence[int], room: int) -> KVCache:
    """Return a cache of one row that has read the prefix."""
    cache = model.make_cache(1, room)
    if prefix:
        ids = torch.tensor([list(prefix)], device=cache.ids.device)
        model.read(ids, AttentionContext.cached(cache))
    return cache


def copy_rows(prefix: KVCache, rows: int) -> KVCache:
    """Return a cache with this many rows, each a copy of the prefix's only row."""
    cache = copy.copy(prefix)  # `select` replaces its tensors, so these are not shared
    cache.select([0] * rows)
    return cache


def read_rows(
    model: DecoderLM, cache: KVCache, rows: Sequence[Sequence[int]]
) -> Float[Tensor, "batch new width"]:
    """Read new tokens behind those in a cache, and return their hidden states."""
    longest = max(map(len, rows))
    device = cache.ids.device
    ids = torch.tensor(
        [[*row, *[PADDING] * (longest - len(row))] for row in rows], device=device
    )
    new = torch.tensor([len(row) for row in rows], device=device)
    return model.read(ids, AttentionContext.cached(cache, new))


@torch.no_grad()
def option_log_likelihoods(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    options: Sequence[Sequence[int]],
    batch_size: int = 64,
) -> Float[Tensor, "prompt option"]:
    r"""Return the log-likelihood of each option after each prompt, in nats.

    $$\log p(o \mid x) = \sum_i \log p(o_i \mid x, o_1, \ldots, o_{i-1})$$

    It is the sum over the option's tokens, so a longer option starts at a disadvantage.

    Args:
        options: The tokens of each option. A space between prompt and option belongs to
            the option, because in most vocabularies it is part of a word's first token.

    Raises:
        ValueError: If there is no prompt or no option, one is empty, a prompt with an
            option does not fit into the context window, or `batch_size` is below 1.

    Source: Brown et al., Language Models are Few-Shot Learners, section 2.4
        (completion likelihood), https://arxiv.org/abs/2005.14165
    """
    if not (options and all(options)) or batch_size < 1:
        raise ValueError(
            "There must be at least one option, of one token or more each, and "
            f"batch_size at least 1; got {len(options)} options and {batch_size}."
        )
    room_for(model, prompts, max(map(len, options)))
    shared = shared_length(prompts)
    # for each text to read, the prompts and options that it serves
    served: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number, prompt in enumerate(prompts):
        for place, option in enumerate(options):
            text = (*prompt, *option[:-1])
            served.setdefault(text, []).append((number, place))
    texts = sorted(served, key=len)
    prefix = read_prefix(model, prompts[0][:shared], len(texts[-1]))
    scores = torch.zeros(len(prompts), len(options))
    for start in range(0, len(texts), batch_size):
        batch = texts[start : start + batch_size]
        cache = copy_rows(prefix, len(batch))
        hidden = read_rows(model, cache, [text[shared:] for text in batch])
        wanted = [
            (row, len(prompts[number]) - 1 - shared + step, token, number, place)
            for row, text in enumerate(batch)
            for number, place in served[text]
            for step, token in enumerate(options[place])
        ]
        rows, positions, tokens, numbers, places = torch.tensor(wanted).T
        log_probs = model.logits(hidden[rows, positions][:, None])[:, 0].log_softmax(-1)
        chosen = log_probs[torch.arange(len(tokens)), tokens].float().cpu()
        scores.index_put_((numbers, places), chosen, accumulate=True)
    return scores


def room_for(
    model: DecoderLM, prompts: Sequence[Sequence[int]], new_tokens: int
) -> int:
    """Return the number of tokens of the longest prompt and its answer, or raise a
    ValueError if a prompt is empty or they don't fit into the context window.
    """
    if not prompts or not all(prompts):
        raise ValueError(
            "There must be at least one prompt, of one token or more each; got "
            f"{len(prompts)} prompts."
        )
    if new_tokens < 1:
        raise ValueError(f"An answer has at least 1 token, got {new_tokens}.")
    longest, window = max(map(len, prompts)), model.config.context_length
    if longest + new_tokens > window:
        raise ValueError(
            f"The model sees at most {window} tokens at once; the longest prompt has "
            f"{longest}, and an answer may have {new_tokens}. Use shorter prompts, "
            "with fewer demonstrations, or ask for shorter answers."
        )
    return longest + new_tokens
