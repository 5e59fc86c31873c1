"""Preference pairs: two answers to a prompt and which of them was preferred, as text
and as tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial.generation import generate_rollouts
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

from .examples import Rows, encode_example, encode_prompt, pad_examples

BATCH_SIZE = 256
"""The number of answers sampled at once, to prompts of similar length."""

Prompt = TypeVar("Prompt")


@dataclass(frozen=True)
class PreferencePair:
    """Two answers to one prompt, and which of them was preferred: the columns of
    TRL's preference data sets.
    """

    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True)
class EncodedPairs:
    """Preference pairs as tokens, one pair per row: each prompt with the chosen answer,
    and with the rejected one.
    """

    chosen: Rows
    rejected: Rows

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The tokens and lengths of both sides, in the order of `reward_loss`'s
        arguments.
        """
        return (
            self.chosen.ids,
            self.chosen.lengths,
            self.rejected.ids,
            self.rejected.lengths,
        )

    def __len__(self) -> int:
        return len(self.chosen.ids)


def length_chunks(
    lengths: Int[Tensor, "row"], count: int
) -> tuple[Int[Tensor, "part"], ...]:
    """Split the rows of a batch by length, which saves padding."""
    return lengths.argsort(stable=True).tensor_split(min(count, len(lengths)))


def sample_answers(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    template: ChatTemplate,
    prompts: Sequence[str],
    per_prompt: int,
    max_new_tokens: int,
    generator: torch.Generator,
) -> list[list[str]]:
    """Sample several answers to each prompt, at temperature 1.

    Args:
        model: The chat model that answers.
        template: The chat template that it was trained with.
        prompts: The user's turns.
        max_new_tokens: The largest number of tokens of an answer.
        generator: The source of randomness.

    Returns:
        The answers to each prompt, without spaces around them.
    """
    encoded = [encode_prompt(template, tokenizer, prompt) for prompt in prompts]
    answers: list[list[str]] = [[] for _ in prompts]
    by_length = sorted(range(len(prompts)), key=lambda place: len(encoded[place]))
    places = [place for place in by_length for _ in range(per_prompt)]
    for start in range(0, len(places), BATCH_SIZE):
        batch = places[start : start + BATCH_SIZE]
        rollouts = generate_rollouts(
            model,
            [encoded[place] for place in batch],
            max_new_tokens,
            end_token=tokenizer.special_tokens[template.end],
            generator=generator,
        )
        for place, answer in zip(batch, rollouts.answers(), strict=True):
            answers[place].append(tokenizer.decode(answer).strip())
    return answers


def answer_pairs(
    prompts: Sequence[Prompt],
    answers: Sequence[Sequence[str]],
    per_prompt: int,
    generator: torch.Generator,
) -> list[tuple[Prompt, str, str]]:
    """Pair different answers to the same prompt, for raters to compare.

    Args:
        prompts: The prompts, in the form that the rater needs.
        answers: The answers to each prompt; duplicates are dropped.
        per_prompt: The largest number of pairs per prompt, drawn from all pairs.
        generator: The source of randomness.

    >>> generator = torch.Generator().manual_seed(0)
    >>> answer_pairs(["Capital?"], [["Lima.", "Lima.", "Nairobi."]], 3, generator)
    [('Capital?', 'Lima.', 'Nairobi.')]
    """
    pairs = []
    for prompt, candidates in zip(prompts, answers, strict=True):
        possible = list(combinations(dict.fromkeys(candidates), 2))
        order = torch.randperm(len(possible), generator=generator)[:per_prompt]
        pairs += [(prompt, *possible[place]) for place in order.tolist()]
    return pairs


def encode_pairs(
    template: ChatTemplate, tokenizer: BPETokenizer, pairs: Sequence[PreferencePair]
) -> EncodedPairs:
    """Encode preference pairs; each answer follows its prompt after a space.

    Raises:
        ValueError: If there are no pairs.
    """

    def encode_side(answers: Sequence[str]) -> Rows:
        examples = [
            encode_example(
                template, tokenizer, [Message("user", pair.prompt)], f" {answer}"
            )
            for pair, answer in zip(pairs, answers, strict=True)
        ]
        return pad_examples(examples)

    return EncodedPairs(
        chosen=encode_side([pair.chosen for pair in pairs]),
        rejected=encode_side([pair.rejected for pair in pairs]),
    )
