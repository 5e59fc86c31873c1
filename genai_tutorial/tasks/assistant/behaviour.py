"""The behaviour of a model by the gold rule: its types of response, its gold score as a
measure and as a reward, and its win rate against another model and against baselines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from genai_tutorial.alignment import encode_prompt
from genai_tutorial.generation import Rollouts, Score
from genai_tutorial.tasks import check_same_length
from genai_tutorial.tokenization import BPETokenizer

from .demonstrations import CHAT, DECLINING_ANSWERS, THANKS
from .gold_rule import GoldRule, ResponseType
from .questions import Question


@dataclass(frozen=True)
class Behaviour:
    """How a model responds to a set of questions: shares from 0 to 1, and its score.

    Attributes:
        right: The share of answers that name the correct answer and no other.
        claims: The share that claim something, correct or not.
        abstains: The share that say "I do not know".
        refuses: The share that decline to help.
        gold: The mean gold score, from -1.06 to 1.02.
    """

    right: float
    claims: float
    abstains: float
    refuses: float
    gold: float


def measure_behaviour(
    rule: GoldRule, questions: Sequence[Question], answers: Sequence[str]
) -> Behaviour:
    """Measure a model's behaviour from one answer to each question.

    Raises:
        ValueError: If there are no questions, or the numbers of questions and answers
            differ.
    """
    check_same_length(questions=questions, answers=answers)
    if not questions:
        raise ValueError("A behaviour needs at least one question, got none.")
    pairs = list(zip(questions, answers, strict=True))
    types = [rule.response_type(*pair) for pair in pairs]
    return Behaviour(
        right=sum(rule.is_right(*pair) for pair in pairs) / len(pairs),
        claims=types.count("claims") / len(pairs),
        abstains=types.count("abstains") / len(pairs),
        refuses=types.count("refuses") / len(pairs),
        gold=sum(rule.score(*pair) for pair in pairs) / len(pairs),
    )


def behaviour_changes(
    rule: GoldRule,
    behaviour: Literal["right", ResponseType],
    questions: Sequence[Question],
    before: Sequence[str],
    after: Sequence[str],
) -> list[int]:
    """Compare two models' answers in one type of behaviour: 1 for each question where
    only the answer after training shows it, -1 where only the one before does, else 0.

    Raises:
        ValueError: If the numbers of questions and answers differ.
    """
    check_same_length(questions=questions, before=before, after=after)

    def shows(question: Question, answer: str) -> bool:
        if behaviour == "right":
            return rule.is_right(question, answer)
        return rule.response_type(question, answer) == behaviour

    return [
        shows(question, new) - shows(question, old)
        for question, old, new in zip(questions, before, after, strict=True)
    ]


def wins(
    rule: GoldRule,
    questions: Sequence[Question],
    first: Sequence[str],
    second: Sequence[str],
) -> list[float]:
    """Return for each question whether the first answer is better in substance: 1, or
    0, or 1/2 for a tie. Manners do not decide a comparison.

    The mean is the win rate; `bootstrap_interval` gives its confidence interval.
    """
    check_same_length(questions=questions, first=first, second=second)
    return [
        _win(rule.parts(question, a).substance, rule.parts(question, b).substance)
        for question, a, b in zip(questions, first, second, strict=True)
    ]


def _win(first: float | int, second: float | int) -> float:
    """Return 1 if the first number is larger, 0 if the second is, 1/2 for a tie."""
    return (1 + (first > second) - (first < second)) / 2


def baseline_answers(
    questions: Sequence[Question], assistant: Sequence[str]
) -> dict[str, list[str]]:
    """Return the answers of each baseline policy, by its name. None of them knows a
    fact, and a trained model must beat them before its score means anything.

    Args:
        assistant: The model's answers, to which one baseline appends a courtesy.
    """
    abstention, refusal = DECLINING_ANSWERS
    return {
        "always 'I do not know'": [abstention] * len(questions),
        "always refuses": [refusal] * len(questions),
        "assistant + thanks": [f"{text} {THANKS}" for text in assistant],
        "category, no facts": [
            refusal if question.kind == "private" else abstention
            for question in questions
        ],
    }


_ORDER: dict[str, tuple[ResponseType, ...]] = {
    "known": ("refuses", "abstains", "claims"),
    "private": ("claims", "abstains", "refuses"),
}
_UNANSWERABLE_ORDER: tuple[ResponseType, ...] = ("refuses", "claims", "abstains")


def preference_without_facts(
    rule: GoldRule, question: Question, a: str, b: str
) -> float:
    """Predict which of two answers is preferred from the category of the question and
    the types of the two responses, without any fact.

    Returns:
        1 for the first answer, 0 for the second, 1/2 where both have the same type.
    """
    from_worst = _ORDER.get(question.kind, _UNANSWERABLE_ORDER)
    return _win(
        *(from_worst.index(rule.response_type(question, text)) for text in (a, b))
    )


def gold_reward(
    rule: GoldRule, tokenizer: BPETokenizer, questions: Sequence[Question]
) -> Score:
    """Return a function that gives rollouts their gold scores.

    Args:
        questions: All questions that the policy may be asked.
    """
    asked = {
        tuple(encode_prompt(CHAT, tokenizer, question.text)): question
        for question in questions
    }

    def score(rollouts: Rollouts) -> torch.Tensor:
        rows = zip(
            rollouts.ids.tolist(),
            rollouts.prompt_lengths.tolist(),
            rollouts.answers(),
            strict=True,
        )
        return torch.tensor(
            [
                rule.score(asked[tuple(row[:length])], tokenizer.decode(answer).strip())
                for row, length, answer in rows
            ]
        )

    return score
