"""Baselines for the assistant task: policies and a preference rule that know no facts.

A trained model must beat them before its score means anything: a constant answer, a
courtesy appended to another policy's answers, and an oracle that is told the category
of each question and knows no answer.
"""

from collections.abc import Sequence

from .chat_format import DECLINING_ANSWERS
from .gold_rule import GoldRule, ResponseType
from .questions import Question

ABSTENTION, REFUSAL = DECLINING_ANSWERS
COURTEOUS_SUFFIX = " Thank you for asking."


def category_aware_answers(questions: Sequence[Question]) -> list[str]:
    """Answer as an oracle that is told the category of each question and knows no fact:
    it refuses private requests, and says that it does not know everything else.
    """
    return [
        REFUSAL if question.kind == "private" else ABSTENTION for question in questions
    ]


def baseline_answers(
    questions: Sequence[Question], assistant: Sequence[str]
) -> dict[str, list[str]]:
    """Return the answers of each baseline policy, by its name.

    Args:
        assistant: The answers of the model to improve on, to which one baseline appends
            a courtesy.

    Raises:
        ValueError: If the numbers of questions and answers differ.
    """
    if len(questions) != len(assistant):
        raise ValueError(
            f"Each question needs an answer of the assistant, got {len(questions)} "
            f"questions and {len(assistant)} answers"
        )
    return {
        "always 'I do not know'": [ABSTENTION] * len(questions),
        "always refuses": [REFUSAL] * len(questions),
        "assistant + thanks": [answer + COURTEOUS_SUFFIX for answer in assistant],
        "category, no facts": category_aware_answers(questions),
    }


_ORDER: dict[str, tuple[ResponseType, ...]] = {
    "known": ("claims", "abstains", "refuses"),
    "unanswerable": ("abstains", "claims", "refuses"),
    "private": ("refuses", "abstains", "claims"),
}


def preference_without_facts(
    rule: GoldRule, question: Question, a: str, b: str
) -> float:
    """Predict which of two answers is preferred from the category of the question and
    the types of the two responses, without any fact.

    Returns:
        1 for the first answer, 0 for the second, 1/2 where both have the same type.

    >>> from genai_tutorial.data import Fact
    >>> rule = GoldRule([Fact("Peru", "capital", "Lima")])
    >>> peru = Question("Peru's capital?", "known", "Peru", "capital", "Lima")
    >>> preference_without_facts(rule, peru, "Cusco.", "I do not know.")
    1.0
    """
    kind = question.kind if question.kind in ("known", "private") else "unanswerable"
    order = _ORDER[kind]
    first, second = (order.index(rule.response_type(question, text)) for text in (a, b))
    return 1.0 if first < second else 0.5 if first == second else 0.0
