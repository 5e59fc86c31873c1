"""The generation loop: predict, draw a token, append it, repeat.

`StopAtText` ends it at a text, which may be spread over several tokens or end inside
one.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.transformer import AttentionContext, DecoderLM, KVCache

from .constrained import Constraint, mask_logits
from .sampling import LogitsProcessor, next_token_probabilities

Stop = Callable[[Sequence[int]], bool]
"""A function that says whether a row is finished, given the tokens drawn for it."""


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
    constraint: Constraint | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch length"]:
    """Return the prompts, each continued by tokens drawn from the model one at a time.

    The context window is the last `model.config.context_length` tokens. As long as the
    whole text fits into it, a `DecoderLM` processes each token once, with a `KVCache`.
    A row that draws a stop token is finished, and repeats it until all rows are.

    Args:
        model: Maps ids to logits, such as a `DecoderLM`.
        prompt_ids: The prompts, of one token or more.
        max_new_tokens: Maximum number of tokens to add.
        temperature: See `next_token_probabilities`, as for `top_k`, `top_p` and
            `min_p`; 0 is greedy decoding.
        processor: Changes the logits according to the text so far, prompt included,
            such as a `repetition_penalty`.
        stop_tokens: The tokens that finish a row.
        constraint: Says which tokens each row may draw, such as a `ConstrainedText`.
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
    cache, start = _cache_for(model, ids, max_new_tokens), ids.shape[1]
    for left in range(max_new_tokens, 0, -1):
        logits = next_token_logits(model, ids, cache)
        if processor is not None:
            logits = processor(logits, ids)
        if constraint is not None:
            drawn = ids[:, start:].tolist()
            logits = mask_logits(logits, constraint, drawn, left, (~finished).tolist())
        filters = temperature, top_k, top_p, min_p
        chosen = draw(next_token_probabilities(logits, *filters), generator).to(ids)
        new = torch.where(finished, ids[:, -1], chosen)
        ids = torch.cat((ids, new[:, None]), dim=1)
        finished |= torch.isin(chosen, stops)
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
    top_p: float | int | None = None,
    processor: LogitsProcessor | None = None,
    stop_tokens: Collection[int] = (),
    constraint: Constraint | None = None,
    generator: torch.Generator | None = None,
    cache: KVCache | None = None,
) -> Iterator[int]:
    """Yield the tokens that continue one text, each as soon as it is drawn; a stop
    token ends it and is not yielded.

    Args:
        model: See `generate`, as for all arguments but the last.
        prompt_ids: The whole text so far.
        cache: A cache from `model.make_cache()`. In a conversation, pass the same one
            with each longer version of the text, and only the new tokens are processed.
            None makes a new cache.

    Raises:
        ValueError: If the prompt is empty, `max_new_tokens` is negative, a sampling
            argument is out of range, or the constraint leaves no token.
    """
    ids = torch.tensor([list(prompt_ids)], device=next(model.parameters()).device)
    _check(ids, max_new_tokens)
    if cache is None:
        cache = _cache_for(model, ids, max_new_tokens)
    if cache is not None:
        cache.keep(ids)
    drawn: list[int] = []
    for left in range(max_new_tokens, 0, -1):
        logits = next_token_logits(model, ids, cache)
        if processor is not None:
            logits = processor(logits, ids)
        if constraint is not None:
            logits = mask_logits(logits, constraint, [drawn], left, [True])
        probabilities = next_token_probabilities(logits, temperature, top_p=top_p)
        chosen = draw(probabilities, generator).to(ids)
        token = int(chosen)
        drawn.append(token)
        if token in stop_tokens:
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


def _cache_for(model: nn.Module, ids: Tensor, max_new_tokens: int) -> KVCache | None:
    if not isinstance(model, DecoderLM):
        return None
    length = min(ids.shape[1] + max_new_tokens, model.config.context_length)
    return model.make_cache(len(ids), length)


def _check(prompt_ids: Tensor, max_new_tokens: int) -> None:
    if prompt_ids.shape[0] < 1 or prompt_ids.shape[1] < 1:
        raise ValueError(
            "prompt_ids must hold at least one row of at least one token, got the "
            f"shape {tuple(prompt_ids.shape)}. Start an empty text with a newline."
        )
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens must be 0 or more, got {max_new_tokens}.")


@runtime_checkable
class Decoder(Protocol):
    """Anything that turns tokens into text, such as a tokenizer."""

    def decode(self, ids: list[int]) -> str:
        """Return the text of the tokens."""
        ...


class StopAtText:
    r"""Stops a row as soon as its new text contains one of the given texts.

    Raises:
        ValueError: If there is no text, or one is empty.

    >>> from genai_tutorial.tokenization import CharacterTokenizer
    >>> tokenizer = CharacterTokenizer.from_text("return x\n\ndef f")
    >>> stop = StopAtText(tokenizer, ["\ndef "])
    >>> stop(tokenizer.encode("return x\nde")), stop(tokenizer.encode("\ndef "))
    (False, True)
    >>> stop.cut("return x\ndef f")
    'return x'
    """

    def __init__(self, tokenizer: Decoder, texts: Sequence[str]):
        if isinstance(texts, str):
            raise ValueError(f"texts must be a list of texts, got the text {texts!r}.")
        if not texts or not all(texts):
            raise ValueError(
                "There must be at least one text to stop at, and none may be empty; "
                f"got {list(texts)}."
            )
        self.tokenizer, self.texts = tokenizer, tuple(texts)
        # Each token has at least one byte, so a text that the newest token completes
        # began at most this many tokens ago.
        self._longest = max(len(text.encode()) for text in self.texts)

    def __call__(self, drawn: Sequence[int]) -> bool:
        """Return whether one of the texts is in the last tokens."""
        end = self.tokenizer.decode(list(drawn[-self._longest :]))
        return any(text in end for text in self.texts)

    def cut(self, text: str) -> str:
        """Return the text up to the first of the texts to stop at."""
        ends = [text.find(stop) for stop in self.texts]
        return text[: min((end for end in ends if end >= 0), default=len(text))]
