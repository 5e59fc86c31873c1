"""The log-likelihood of one text after each of several prompts."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.alignment import answer_log_probs
from genai_tutorial.tokenization import PADDING
from genai_tutorial.transformer import DecoderLM


@torch.no_grad()
def continuation_log_likelihoods(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
) -> Float[Tensor, "prompt"]:
    """Return the log-probability of each continuation after its prompt: the sum over
    its tokens, in nats. All are read in one batch.

    Args:
        model: The language model.
        prompts: The tokens of each prompt, at least one.
        continuations: The tokens of each continuation, at least one.

    Raises:
        ValueError: If there are no prompts, a prompt or continuation is empty, or their
            numbers differ.
    """
    if not prompts or len(prompts) != len(continuations):
        raise ValueError(
            "Each of one or more prompts needs a continuation, got "
            f"{len(prompts)} and {len(continuations)}."
        )
    if not (all(prompts) and all(continuations)):
        raise ValueError("Prompts and continuations need at least one token each.")
    rows = [[*a, *b] for a, b in zip(prompts, continuations, strict=True)]
    ids = torch.full((len(rows), max(map(len, rows))), PADDING)
    is_answer = torch.zeros_like(ids, dtype=torch.bool)
    for place, (prompt, row) in enumerate(zip(prompts, rows, strict=True)):
        ids[place, : len(row)] = torch.tensor(row)
        is_answer[place, len(prompt) : len(row)] = True
    device = model.token_embedding.weight.device
    return answer_log_probs(model, ids.to(device), is_answer.to(device))
