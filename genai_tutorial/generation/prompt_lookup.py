"""Prompt lookup: speculative decoding whose draft is copied from the text itself."""

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.transformer import DecoderLM

from .speculative import Draft, Sampling, Speculation, speculate


def find_continuation(ids: Sequence[int], count: int, longest: int = 3) -> list[int]:
    """Return up to `count` tokens that followed the last tokens of a text where they
    occurred before; nothing if they did not.

    The longest of the text's endings that occurs twice decides, and of its occurrences
    the last one.

    Args:
        ids: The text so far.
        count: Maximum number of tokens to return.
        longest: Maximum length of the ending that is looked up.

    Raises:
        ValueError: If `count` is negative, or `longest` below 1.

    Source: Saxena, Prompt Lookup Decoding,
        https://github.com/apoorvumang/prompt-lookup-decoding

    >>> find_continuation([5, 6, 7, 8, 9, 5, 6], count=2)
    [7, 8]
    >>> find_continuation([5, 6, 7], count=2)
    []
    """
    if count < 0 or longest < 1:
        raise ValueError(
            "count must be 0 or more and longest at least 1, got "
            f"{count} and {longest}."
        )
    ids = list(ids)
    for size in range(min(longest, len(ids) - 1), 0, -1):
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
    longest: int = 3,
    temperature: float | int = 0.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    stop_tokens: Collection[int] = (),
    generator: torch.Generator | None = None,
) -> Speculation:
    """Continue a prompt as the target model would, with drafts copied from the text.

    It pays where the answer repeats the prompt: quoting, editing, summarizing. Copying
    is a draft that is certain of its tokens, so the rule of speculative sampling holds
    with q = 1, and the text is distributed as that of `generate`.

    Args:
        target: The model whose text is wanted.
        prompt_ids: The prompt, one row of one token or more.
        max_new_tokens: Maximum number of tokens to add.
        drafted: Maximum number of tokens that are copied per round.
        longest: Maximum length of the ending that is looked up.
        temperature: See `next_token_probabilities`, as for the next two; 0 is greedy
            decoding.
        top_k: Keep this many tokens.
        top_p: Keep the smallest set of tokens with this probability.
        stop_tokens: The tokens that end the text; they are part of it.
        generator: Random generator of the draws; None for torch's global one.

    Raises:
        ValueError: If the text does not fit into the context window, the target's cache
            cannot `rewind`, or a number is out of range.

    Source: Saxena, Prompt Lookup Decoding,
        https://github.com/apoorvumang/prompt-lookup-decoding
    """
    return speculate(
        target,
        copying_draft(target, longest),
        prompt_ids,
        max_new_tokens,
        drafted=drafted,
        sampling=Sampling(temperature, top_k, top_p),
        stop_tokens=stop_tokens,
        generator=generator,
    )


def copying_draft(target: DecoderLM, longest: int = 3) -> Draft:
    """Return a draft that copies the tokens of `find_continuation`."""

    def propose(ids: Tensor, count: int) -> tuple[Tensor, Tensor]:
        copied = find_continuation(ids[0].tolist(), count, longest)
        tokens = ids.new_tensor([copied], dtype=torch.long)
        certain = functional.one_hot(tokens, target.config.vocab_size)
        return tokens, certain.to(target.token_embedding.weight.dtype)

    return propose
