"""How a model behaves: what it does with questions of each kind, by the gold rule, and
whose answers are better.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from genai_tutorial.tasks.assistant.gold_rule import GoldRule
from genai_tutorial.tasks.assistant.questions import Question


@dataclass(frozen=True)
class Conduct:
    """What a model did with some questions, as shares from 0 to 1.

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


def conduct(
    rule: GoldRule, questions: Sequence[Question], answers: Sequence[str]
) -> Conduct:
    """Say what a model did with questions, on average.

    Args:
        rule: What a good answer is.
        questions: What was asked.
        answers: What it said, in the same order.

    Raises:
        ValueError: If there are no questions, or not as many answers.

    >>> from genai_tutorial.data import Fact
    >>> rule = GoldRule(
    ...     [Fact("Kenya", "capital", "Nairobi"), Fact("Peru", "capital", "Lima")]
    ... )
    >>> kenya = Question(
    ...     "What is the capital of Kenya?", "known", "Kenya", "capital", "Nairobi"
    ... )
    >>> conduct(rule, [kenya, kenya], ["Nairobi.", "I do not know."])
    Conduct(right=0.5, claims=0.5, abstains=0.5, refuses=0.0, gold=0.5)
    """
    if not questions or len(questions) != len(answers):
        raise ValueError(
            f"Each of one or more questions needs an answer, got {len(questions)} and "
            f"{len(answers)}"
        )
    pairs = list(zip(questions, answers, strict=True))
    done = [rule.conduct(*pair) for pair in pairs]
    return Conduct(
        right=sum(rule.is_right(*pair) for pair in pairs) / len(pairs),
        claims=done.count("claims") / len(pairs),
        abstains=done.count("abstains") / len(pairs),
        refuses=done.count("refuses") / len(pairs),
        gold=sum(rule.score(*pair) for pair in pairs) / len(pairs),
    )


def wins(
    rule: GoldRule,
    questions: Sequence[Question],
    first: Sequence[str],
    second: Sequence[str],
) -> list[float]:
    """Say for each question whether the first answer is better by the gold rule: 1, or
    0, or 1/2 for a draw.

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
    if not len(questions) == len(first) == len(second):
        raise ValueError(
            f"Each question needs two answers, got {len(questions)} questions, "
            f"{len(first)} and {len(second)} answers"
        )
    scores = [
        (rule.score(question, one), rule.score(question, other))
        for question, one, other in zip(questions, first, second, strict=True)
    ]
    return [
        1.0 if one > other else 0.5 if one == other else 0.0 for one, other in scores
    ]
