"""Several sampled answers to each question, and what they say about a model: how often
it is right, how often it works its answer out, what a vote and more tries are worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.alignment import masked_sum
from genai_tutorial.generation import SampledAnswer, generate_rollouts, self_consistency
from genai_tutorial.metrics import pass_at_k
from genai_tutorial.transformer import DecoderLM

from .judge import final_answer, is_worked
from .models import END_TOKEN, MAX_ANSWER_TOKENS, answer_texts, encode_questions
from .questions import ArithmeticQuestion


@dataclass(frozen=True)
class AnswerReport:
    """Shares over all sampled answers, unless said otherwise.

    Attributes:
        sampled: The share of right answers.
        vote: The share of questions that a vote over all samples answers right.
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
        model: A model that was trained on `encode_examples`.
        backwards: Whether the model writes the ones first.

    Raises:
        ValueError: If `n` is less than one.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    rollouts = generate_rollouts(
        model,
        [ids for ids in encode_questions(questions) for _ in range(n)],
        MAX_ANSWER_TOKENS,
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
    samples: Sequence[Sequence[SampledAnswer]],
    questions: Sequence[ArithmeticQuestion],
) -> AnswerReport:
    """Return what the samples of a model say about it.

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
    correct = [
        sum(sample.answer == question.answer for sample in row)
        for row, question in zip(samples, questions, strict=True)
    ]
    votes = sum(
        self_consistency(row).answer == question.answer
        for row, question in zip(samples, questions, strict=True)
    )
    powers = [2**power for power in range(n.bit_length())]
    return AnswerReport(
        sampled=sum(correct) / len(flat),
        vote=votes / len(questions),
        worked=sum(is_worked(sample.text) for sample in flat) / len(flat),
        tokens=sum(sample.tokens for sample in flat) / len(flat),
        pass_at={
            k: sum(pass_at_k(n, right, k) for right in correct) / len(correct)
            for k in powers
        },
    )
