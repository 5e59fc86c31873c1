"""Arithmetic as tokens: examples for training, and a model's answers as text."""

from collections.abc import Sequence

import torch

from genai_tutorial.alignment import Example, Rows, pad_examples
from genai_tutorial.generation import Rollouts, generate_rollouts
from genai_tutorial.tokenization import CharacterTokenizer
from genai_tutorial.transformer import DecoderLM

from .formats import AnswerFormat
from .questions import ArithmeticQuestion

ARITHMETIC_TOKENIZER = CharacterTokenizer("\n0123456789+-*=,;")
"""One token per character; the newline ends an answer. The minus sign is for tasks of
your own.
"""

END_TOKEN = ARITHMETIC_TOKENIZER.encode("\n")[0]
"""The token that ends an answer."""

MAX_ANSWER_TOKENS = 20
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
    seed: int = 0,
) -> list[str]:
    """Return a model's answer to each question.

    Args:
        model: A model that was trained on `encode_examples`.
        temperature: 0 for greedy decoding.
    """
    rollouts = generate_rollouts(
        model,
        encode_questions(questions),
        MAX_ANSWER_TOKENS,
        end_token=END_TOKEN,
        temperature=temperature,
        generator=torch.Generator().manual_seed(seed),
    )
    return answer_texts(rollouts)
