"""Comparisons as a reward model reads them: answers that a model wrote, in pairs, and
which of two was preferred.
"""

from collections.abc import Sequence
from itertools import combinations

import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial.alignment.examples import encode_example, pad_examples
from genai_tutorial.generation.rollouts import generate_rollouts
from genai_tutorial.tasks.assistant.questions import Question
from genai_tutorial.tasks.assistant.raters import Comparison
from genai_tutorial.tokenization import BPETokenizer, ChatTemplate, Message
from genai_tutorial.transformer import DecoderLM

AT_ONCE = 256
"""How many answers are written at once, to prompts of like length."""

Pair = tuple[Question, str, str]


def encode_question(
    template: ChatTemplate, tokenizer: BPETokenizer, question: Question
) -> list[int]:
    """Return a question as the prompt that the model answers."""
    return template.encode(tokenizer, [Message("user", question.text)])


def sample_answers(
    model: DecoderLM,
    tokenizer: BPETokenizer,
    template: ChatTemplate,
    questions: Sequence[Question],
    per_question: int,
    max_new_tokens: int,
    generator: torch.Generator,
) -> list[list[str]]:
    """Lets a model answer each question several times, at temperature 1.

    Args:
        model: Who answers.
        tokenizer: Its tokens.
        template: How it reads a conversation.
        questions: What it is asked.
        per_question: How many answers each question gets.
        max_new_tokens: The most tokens of an answer.
        generator: Where the chance comes from.

    Returns:
        The answers to each question, without spaces around them.
    """
    prompts = [encode_question(template, tokenizer, question) for question in questions]
    answers: list[list[str]] = [[] for _ in questions]
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    places = [place for place in order for _ in range(per_question)]
    for start in range(0, len(places), AT_ONCE):
        some = places[start : start + AT_ONCE]
        written = generate_rollouts(
            model,
            [prompts[place] for place in some],
            max_new_tokens,
            end_token=tokenizer.special_tokens[template.end],
            generator=generator,
        )
        for place, answer in zip(some, written.answers(), strict=True):
            answers[place].append(tokenizer.decode(answer).strip())
    return answers


def answer_pairs(
    questions: Sequence[Question],
    answers: Sequence[Sequence[str]],
    most: int,
    generator: torch.Generator,
) -> list[Pair]:
    """Put different answers to the same question side by side.

    Args:
        questions: What was asked.
        answers: The answers to each question; the same answer twice counts once.
        most: How many pairs each question gives at most, drawn from all that there are.
        generator: Where the chance comes from.

    >>> drawn = torch.Generator().manual_seed(0)
    >>> answer_pairs(
    ...     [Question("Capital?", "known")], [["Lima.", "Lima.", "Nairobi."]], 3, drawn
    ... )
    [(Question(text='Capital?', kind='known', country='', relation=None, answer=None), 'Lima.', 'Nairobi.')]
    """  # noqa: E501
    pairs = []
    for question, given in zip(questions, answers, strict=True):
        there = list(combinations(dict.fromkeys(given), 2))
        order = torch.randperm(len(there), generator=generator)[:most].tolist()
        pairs += [(question, *there[place]) for place in order]
    return pairs


def encode_comparisons(
    template: ChatTemplate, tokenizer: BPETokenizer, comparisons: Sequence[Comparison]
) -> tuple[
    Int[Tensor, "pair position"],
    Int[Tensor, "pair"],
    Int[Tensor, "pair rejected_position"],
    Int[Tensor, "pair"],
]:
    """Return the chosen answers with their prompts and lengths, and the rejected ones:
    what `reward_loss` reads.

    Raises:
        ValueError: If there are no comparisons.
    """
    chosen, rejected = (
        pad_examples(
            [
                encode_example(
                    template,
                    tokenizer,
                    [Message("user", one.question.text)],
                    f" {answer}",
                )
                for one, answer in zip(comparisons, answers, strict=True)
            ]
        )
        for answers in (
            [one.chosen for one in comparisons],
            [one.rejected for one in comparisons],
        )
    )
    return chosen.ids, chosen.lengths, rejected.ids, rejected.lengths
