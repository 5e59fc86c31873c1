"""Arithmetic as tokens, a model's answers as text, and what several sampled answers say
about a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.alignment import Example, Rows, masked_sum, pad_examples
from genai_tutorial.generation import (
    Rollouts,
    SampledAnswer,
    generate_rollouts,
    self_consistency,
)
from genai_tutorial.metrics import pass_at_k
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.transformer import DecoderLM

from .questions import AnswerFormat, ArithmeticQuestion, final_answer, is_worked

ARITHMETIC_TOKENIZER = CharacterTokenizer("\n0123456789+-*=,;")
"""One token per character; the newline ends an answer. The minus sign is for tasks of
your own.
"""

END_TOKEN = ARITHMETIC_TOKENIZER.encode("\n")[0]
"""The token that ends an answer."""

MAX_SUM_TOKENS = 20
"""No answer in any format of the task is longer, its end token included."""


def encode_examples(
    questions: Sequence[ArithmeticQuestion], write: AnswerFormat
) -> list[Example]:
    """Return questions with their answers in one format, as tokens.

    >>> from genai_tutorial.tasks.arithmetic import direct
    >>> encode_examples([ArithmeticQuestion((1, 2))], direct)
    [Example(prompt=(2, 11, 3, 14), answer=(4, 0))]
    """
    encode = ARITHMETIC_TOKENIZER.encode
    return [
        Example(tuple(encode(question.text)), (*encode(write(question)), END_TOKEN))
        for question in questions
    ]


def encode_questions(questions: Sequence[ArithmeticQuestion]) -> list[list[int]]:
    """Return the tokens of each question."""
    return [ARITHMETIC_TOKENIZER.encode(question.text) for question in questions]


def example_rows(questions: Sequence[ArithmeticQuestion], write: AnswerFormat) -> Rows:
    """Return one padded row per question, for `TensorBatches` and `supervised_loss`."""
    return pad_examples(encode_examples(questions, write))


def answer_texts(rollouts: Rollouts) -> list[str]:
    """Return the text of each answer, without its end."""
    return [ARITHMETIC_TOKENIZER.decode(answer) for answer in rollouts.answers()]


def answer_questions(
    model: DecoderLM,
    questions: Sequence[ArithmeticQuestion],
    *,
    temperature: float | int = 0,
) -> list[str]:
    """Return a model's answer to each question.

    Args:
        temperature: 0 for greedy decoding.
    """
    rollouts = generate_rollouts(
        model,
        encode_questions(questions),
        MAX_SUM_TOKENS,
        end_token=END_TOKEN,
        temperature=temperature,
        generator=torch.Generator().manual_seed(0),
    )
    return answer_texts(rollouts)


@dataclass(frozen=True)
class AnswerReport:
    """Shares over all sampled answers, unless said otherwise.

    Attributes:
        sampled: The share of correct answers.
        vote: The share of questions that a vote over all samples answers correctly.
        worked: The share of answers with a scratchpad.
        tokens: The mean number of tokens of an answer, its end token included.
        pass_at: The mean of pass@k over questions, for k = 1, 2, 4 and so on.
    """

    sampled: float
    vote: float
    worked: float
    tokens: float
    pass_at: dict[int, float]


def sampled_answers(
    model: DecoderLM,
    questions: Sequence[ArithmeticQuestion],
    n: int,
    *,
    backwards: bool,
    seed: int = 0,
) -> list[list[SampledAnswer]]:
    """Return several answers to each question, sampled at temperature 1.

    Args:
        backwards: If true, the model writes the ones first.
    """
    rollouts = generate_rollouts(
        model,
        [ids for ids in encode_questions(questions) for _ in range(n)],
        MAX_SUM_TOKENS,
        end_token=END_TOKEN,
        generator=torch.Generator().manual_seed(seed),
    )
    flat = [
        SampledAnswer(final_answer(text, backwards=backwards), tokens, log_prob, text)
        for text, tokens, log_prob in zip(
            answer_texts(rollouts),
            rollouts.mask.sum(dim=1).tolist(),
            masked_sum(rollouts.log_probs, rollouts.mask).tolist(),
            strict=True,
        )
    ]
    return [flat[start : start + n] for start in range(0, len(flat), n)]


def report_answers(
    samples: Sequence[Sequence[SampledAnswer]], questions: Sequence[ArithmeticQuestion]
) -> AnswerReport:
    """Return a report on a model from its samples.

    Args:
        samples: Equally many answers to each question.

    Raises:
        ValueError: If there are no questions, or not one row of samples for each.
    """
    if not questions or len(samples) != len(questions):
        raise ValueError(
            "Each question needs a row of samples, got "
            f"{len(questions)} questions and {len(samples)} rows."
        )
    flat = [sample for row in samples for sample in row]
    n = len(samples[0])
    rows = list(zip(samples, questions, strict=True))
    correct = [
        sum(sample.answer == question.answer for sample in row)
        for row, question in rows
    ]
    votes = sum(self_consistency(row).answer == q.answer for row, q in rows)
    return AnswerReport(
        sampled=sum(correct) / len(flat),
        vote=votes / len(rows),
        worked=sum(is_worked(sample.text) for sample in flat) / len(flat),
        tokens=sum(sample.tokens for sample in flat) / len(flat),
        pass_at={
            k: sum(pass_at_k(n, right, k) for right in correct) / len(correct)
            for k in (2**power for power in range(n.bit_length()))
        },
    )
