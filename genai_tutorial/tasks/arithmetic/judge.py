"""The judge of written answers: reads one final answer, or none."""

from collections.abc import Sequence

from .formats import ANSWER_MARK
from .questions import ArithmeticQuestion


def final_answer(text: str, *, backwards: bool) -> int | None:
    """Return the number that an answer commits to; None if there is not exactly one."""
    *working, answer = text.split(ANSWER_MARK)
    if len(working) > 1 or not (answer.isascii() and answer.isdigit()):
        return None
    digits = answer[::-1] if backwards else answer
    return int(digits) if str(int(digits)) == digits else None


def is_worked(text: str) -> bool:
    """Return whether an answer has a scratchpad before its final answer."""
    working, mark, _ = text.partition(ANSWER_MARK)
    return bool(mark and working)


def correct_answers(
    questions: Sequence[ArithmeticQuestion], texts: Sequence[str], *, backwards: bool
) -> list[bool]:
    """Return for each answer whether its final answer is right.

    Args:
        texts: One answer to each.
        backwards: Whether the ones come first.

    Raises:
        ValueError: If there are not as many answers as questions.
    """
    if len(questions) != len(texts):
        raise ValueError(
            f"Each question needs one answer, got {len(questions)} questions and "
            f"{len(texts)} answers."
        )
    return [
        final_answer(text, backwards=backwards) == question.answer
        for question, text in zip(questions, texts, strict=True)
    ]
