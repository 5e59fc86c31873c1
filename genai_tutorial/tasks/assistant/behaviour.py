"""The behaviour of a model: its types of response by the gold rule, and its win rate
against another model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from genai_tutorial.tasks.assistant.gold_rule import GoldRule, ResponseType
from genai_tutorial.tasks.assistant.questions import Question


@dataclass(frozen=True)
class Behaviour:
    """What a model does with a set of questions, as shares from 0 to 1.

    Attributes:
        right: Names the right answer and no other; 0 where there is none.
        claims: Says something about the matter, right or wrong.
        abstains: Says that it does not know.
        refuses: Declines to help.
        gold: The mean gold score, from -1.65 to 1.25.
    """

    right: float
    claims: float
    abstains: float
    refuses: float
    gold: float


def measure_behaviour(
    rule: GoldRule, questions: Sequence[Question], answers: Sequence[str]
) -> Behaviour:
    """Measure what a model does with questions, from one answer to each.

    Raises:
        ValueError: If there are no questions, or not as many answers.

    >>> from genai_tutorial.data import Fact
    >>> rule = GoldRule(
    ...     [Fact("Kenya", "capital", "Nairobi"), Fact("Peru", "capital", "Lima")]
    ... )
    >>> kenya = Question(
    ...     "What is the capital of Kenya?", "known", "Kenya", "capital", "Nairobi"
    ... )
    >>> measure_behaviour(rule, [kenya, kenya], ["Nairobi.", "I do not know."])
    Behaviour(right=0.5, claims=0.5, abstains=0.5, refuses=0.0, gold=0.5)
    """
    if not questions or len(questions) != len(answers):
        raise ValueError(
            f"Each of one or more questions needs an answer, got {len(questions)} and "
            f"{len(answers)}"
        )
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
    """Compare two models' answers in one kind of behaviour: 1 for each question where
    only the answer after shows it, -1 where only the answer before does, 0 elsewhere.

    Raises:
        ValueError: If there are not as many answers as questions.

    >>> from genai_tutorial.data import Fact
    >>> rule = GoldRule([Fact("Peru", "capital", "Lima")])
    >>> zelvania = Question("What is the capital of Zelvania?", "invented", "Zelvania")
    >>> behaviour_changes(
    ...     rule, "abstains", [zelvania] * 2, ["Lima."] * 2, ["I do not know.", "Lima."]
    ... )
    [1, 0]
    """
    _check_answers(questions, before, after)

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
    """Return for each question whether the first answer is better by the gold rule: 1,
    or 0, or 1/2 for a draw.

    The mean is the win rate; `bootstrap_interval` gives it an interval.

    Raises:
        ValueError: If there are not as many answers as questions.

    >>> from genai_tutorial.data import Fact
    >>> rule = GoldRule(
    ...     [Fact("Kenya", "capital", "Nairobi"), Fact("Peru", "capital", "Lima")]
    ... )
    >>> kenya = Question(
    ...     "What is the capital of Kenya?", "known", "Kenya", "capital", "Nairobi"
    ... )
    >>> wins(
    ...     rule,
    ...     [kenya] * 3,
    ...     ["Nairobi."] * 3,
    ...     ["Lima.", "Nairobi.", "Nairobi. Thank you for asking."],
    ... )
    [1.0, 0.5, 0.0]
    """
    return _compare(rule.score, questions, first, second)


def substance_wins(
    rule: GoldRule,
    questions: Sequence[Question],
    first: Sequence[str],
    second: Sequence[str],
) -> list[float]:
    """Return for each question whether the first answer is better in substance: `wins`
    without what courtesies and brevity are worth.

    Raises:
        ValueError: If there are not as many answers as questions.

    >>> from genai_tutorial.data import Fact
    >>> rule = GoldRule(
    ...     [Fact("Kenya", "capital", "Nairobi"), Fact("Peru", "capital", "Lima")]
    ... )
    >>> kenya = Question(
    ...     "What is the capital of Kenya?", "known", "Kenya", "capital", "Nairobi"
    ... )
    >>> substance_wins(
    ...     rule,
    ...     [kenya] * 2,
    ...     ["Nairobi."] * 2,
    ...     ["Lima.", "Nairobi. Thank you for asking."],
    ... )
    [1.0, 0.5]
    """

    def substance(question: Question, answer: str) -> float:
        return rule.parts(question, answer).substance

    return _compare(substance, questions, first, second)


def _compare(
    score: Callable[[Question, str], float],
    questions: Sequence[Question],
    first: Sequence[str],
    second: Sequence[str],
) -> list[float]:
    _check_answers(questions, first, second)
    scores = [
        (score(question, first_answer), score(question, second_answer))
        for question, first_answer, second_answer in zip(
            questions, first, second, strict=True
        )
    ]
    return [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in scores]


def _check_answers(
    questions: Sequence[Question], first: Sequence[str], second: Sequence[str]
) -> None:
    if not len(questions) == len(first) == len(second):
        raise ValueError(
            f"Each question needs two answers, got {len(questions)} questions, "
            f"{len(first)} and {len(second)} answers"
        )
