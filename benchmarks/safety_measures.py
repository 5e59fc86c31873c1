"""Steering by a direction, the odds of two sentences, and comparisons by a critic."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genai_tutorial.alignment import PreferencePair
from genai_tutorial.retrieval import continuation_log_likelihoods
from genai_tutorial.safety import Principle, critic_scores
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import DecoderLM

_BATCH_SIZE = 32


@contextmanager
def direction_added(
    model: DecoderLM, direction: Float[Tensor, "width"], state: int
) -> Iterator[DecoderLM]:
    """Add a vector to one hidden state at all positions inside a `with` block.

    Args:
        direction: The vector to add; its length matters.
        state: The state, as `hidden_states` counts them: 0 is before the first block.

    Raises:
        ValueError: If there is no such state.

    Source: Arditi et al., Refusal in Language Models Is Mediated by a Single Direction,
        equation 3, https://arxiv.org/abs/2406.11717
    """
    if not 0 <= state <= len(model.blocks):
        raise ValueError(
            f"The model has the states 0 to {len(model.blocks)}, got {state}."
        )
    if state == 0:
        part: nn.Module = model.token_embedding
    else:
        part = model.blocks[state - 1]
    hook = part.register_forward_hook(
        lambda _, __, output: output + direction.to(output)
    )
    try:
        yield model
    finally:
        hook.remove()


def sentence_pair_log_odds(
    model: DecoderLM, tokenizer: BPETokenizer, pairs: Sequence[tuple[str, str]]
) -> Float[Tensor, "pair"]:
    """Return ln p(first sentence) - ln p(second sentence) for each pair. The first
    token of each sentence is given, so the two should begin alike.

    Args:
        pairs: Sentences that differ in one word.

    Raises:
        ValueError: If there are no pairs, or a sentence has fewer than two tokens.

    Source: Nangia et al., CrowS-Pairs, https://arxiv.org/abs/2010.00133, whose masked
        models score the shared words only; Blodgett et al., Stereotyping Norwegian
        Salmon, https://aclanthology.org/2021.acl-long.81, for what such pairs get wrong
    """
    if not pairs:
        raise ValueError("There must be at least one pair, got none.")
    first, second = (
        _in_batches(model, [row[:1] for row in rows], [row[1:] for row in rows])
        for rows in (
            [tokenizer.encode(sentence) for sentence in side]
            for side in zip(*pairs, strict=True)
        )
    )
    return first - second


def _in_batches(
    model: DecoderLM,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[int]],
) -> Float[Tensor, "row"]:
    return torch.cat(
        [
            continuation_log_likelihoods(
                model,
                prompts[start : start + _BATCH_SIZE],
                continuations[start : start + _BATCH_SIZE],
            )
            for start in range(0, len(prompts), _BATCH_SIZE)
        ]
    )


_MARGIN = 0.1
"""Answers whose scores differ by less are not compared."""


def ai_comparisons(
    encode: Callable[[Sequence[str]], Float[Tensor, "text width"]],
    declines: Principle,
    prompts: Sequence[str],
    answers: Sequence[tuple[str, str]],
    breaks_principle: Sequence[bool | None],
) -> list[PreferencePair]:
    """Compare two answers to each prompt: the one that declines is preferred if the
    prompt breaks the principle, and the other one if it does not.

    Args:
        declines: The description of answers that decline, and its opposite.
        breaks_principle: The critic's verdicts on the prompts; prompts without one are
            left out.

    Source: Bai et al., Constitutional AI, section 4.1,
        https://arxiv.org/abs/2212.08073; Lee et al., RLAIF vs. RLHF,
        https://arxiv.org/abs/2309.00267
    """
    if not prompts:
        return []
    scores = critic_scores(
        encode, declines, [text for pair in answers for text in pair]
    )
    pairs = []
    for prompt, (first, second), verdict, (a, b) in zip(
        prompts, answers, breaks_principle, scores.view(-1, 2).tolist(), strict=True
    ):
        if verdict is None or abs(a - b) < _MARGIN:
            continue
        chosen, rejected = (first, second) if (a > b) == verdict else (second, first)
        pairs.append(PreferencePair(prompt, chosen, rejected))
    return pairs
