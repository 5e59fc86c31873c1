"""Associations in a language model's predictions: which pronoun it expects after a
word, and which of two sentences that differ in one word it finds more probable.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.retrieval import continuation_log_likelihoods
from genai_tutorial.tokenization import PADDING, BPETokenizer
from genai_tutorial.transformer import DecoderLM

PRONOUN_TEMPLATES = (
    "The {noun} said that",
    "The {noun} was tired because",
    "I talked to the {noun} yesterday, and",
)
"""Beginnings of sentences whose next word may be a pronoun for the noun."""

_BATCH_SIZE = 32


def pronoun_log_odds(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    nouns: Sequence[str],
    templates: Sequence[str] = PRONOUN_TEMPLATES,
    pronouns: tuple[str, str] = ("he", "she"),
) -> Float[Tensor, "noun template"]:
    """Return ln p(first pronoun) - ln p(second pronoun) as the next word, after each
    template with each noun.

    Args:
        model: The language model.
        tokenizer: Its tokenizer.
        nouns: The nouns, such as occupations.
        templates: Beginnings of sentences, with `{noun}` where the noun goes.
        pronouns: The two pronouns.

    Raises:
        ValueError: If there is no noun or template, a template has no `{noun}`, or a
            pronoun is several tokens.
    """
    if not nouns or not templates:
        raise ValueError(
            "There must be at least one noun and one template, got "
            f"{len(nouns)} and {len(templates)}."
        )
    without = [template for template in templates if "{noun}" not in template]
    if without:
        raise ValueError(f"A template needs {{noun}}, got {without[0]!r}.")
    prompts = [
        tokenizer.encode(template.replace("{noun}", noun))
        for noun in nouns
        for template in templates
    ]
    tokens = [tokenizer.encode(f" {word}") for word in pronouns]
    if any(len(ids) != 1 for ids in tokens):
        raise ValueError(
            f"Each pronoun must be one token, got {' and '.join(pronouns)}, which are "
            f"{len(tokens[0])} and {len(tokens[1])}."
        )
    (first,), (second,) = tokens
    odds = [
        logits[:, first] - logits[:, second]
        for start in range(0, len(prompts), _BATCH_SIZE)
        for logits in [_next_token_logits(model, prompts[start : start + _BATCH_SIZE])]
    ]
    return torch.cat(odds).view(len(nouns), len(templates))


def sentence_pair_log_odds(
    model: DecoderLM, tokenizer: BPETokenizer, pairs: Sequence[tuple[str, str]]
) -> Float[Tensor, "pair"]:
    """Return ln p(first sentence) - ln p(second sentence) for each pair. The first
    token of each sentence is given, so the two should begin alike.

    Args:
        model: The language model.
        tokenizer: Its tokenizer.
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


@torch.no_grad()
def _next_token_logits(
    model: DecoderLM, prompts: Sequence[Sequence[int]]
) -> Float[Tensor, "prompt vocab"]:
    ids = torch.full((len(prompts), max(map(len, prompts))), PADDING)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt)
    last = torch.tensor([len(prompt) - 1 for prompt in prompts])
    states = model.read(ids.to(model.token_embedding.weight.device))[
        torch.arange(len(prompts)), last
    ]
    return model.logits(states[:, None])[:, 0]


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
