"""Static batching, the baseline: a batch of requests starts together, and the next
batch starts when the last of them is finished.
"""

from collections.abc import Sequence

import torch

from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import AttentionContext, DecoderLM

from .requests import Answer, Request, Statistics


@torch.no_grad()
def answer_in_static_batches(
    model: DecoderLM, requests: Sequence[Request], batch_size: int
) -> tuple[list[Answer], Statistics]:
    """Answer requests in batches, in the order of their arrival.

    The cache of a batch has as many rows as requests, each with room for the longest
    possible text among them. Rows of finished answers stay in the batch.

    Returns:
        The answers in the order of the requests, and what they cost.

    Raises:
        ValueError: If `batch_size` is below 1, or a request does not fit into the
            context window.

    >>> from genai_tutorial.transformer import DecoderConfig
    >>> model = DecoderLM(DecoderConfig.llama(9, 99, 16, 1, 2, 1, 32))
    >>> answers, counts = answer_in_static_batches(model, [Request((1, 2))] * 3, 2)
    >>> counts.passes  # two batches of 64 new tokens each
    128
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
    counts = Statistics()
    answers = [Answer(request) for request in requests]
    for start in range(0, len(answers), batch_size):
        _answer_batch(model, answers[start : start + batch_size], counts)
    return answers, counts


def answer_alone(model: DecoderLM, request: Request) -> Answer:
    """Return the answer to a request in a separate batch.

    Raises:
        ValueError: If it does not fit into the context window.
    """
    return answer_in_static_batches(model, [request], 1)[0][0]


def _answer_batch(
    model: DecoderLM, answers: Sequence[Answer], counts: Statistics
) -> None:
    prompts = max(len(answer.request.prompt) for answer in answers)
    new = max(answer.request.options.max_new_tokens for answer in answers)
    longest = max(answer.request.longest for answer in answers)
    if longest > model.config.context_length:
        raise ValueError(
            f"The model sees at most {model.config.context_length} tokens at once; a "
            f"prompt with its answer may have {longest}. Shorten one of them."
        )
    room = min(prompts + new, model.config.context_length)
    cache = model.make_cache(len(answers), room)
    device = cache.ids.device
    unread = [list(answer.request.prompt) for answer in answers]
    while not all(answer.is_finished for answer in answers):
        width = max(map(len, unread))
        ids = [row + [PADDING] * (width - len(row)) for row in unread]
        lengths = torch.tensor([len(row) for row in unread], device=device)
        hidden = model.read(
            torch.tensor(ids, device=device), AttentionContext.cached(cache, lengths)
        )
        rows = torch.arange(len(answers), device=device)
        logits = model.logits(hidden[rows, lengths - 1][:, None])[:, 0]
        new = [len(row) for row in unread if row]
        counts.count_pass(new, len(answers), width * len(answers))
        counts.count_slots(room * len(answers), sum(cache.lengths))
        for row, answer in enumerate(answers):
            if answer.is_finished:
                continue
            before = len(answer.ids)
            answer.draw(logits[row])
            counts.tokens_drawn += len(answer.ids) - before
            # The row of a finished answer reads nothing but padding.
            unread[row] = [] if answer.is_finished else answer.ids[-1:]
