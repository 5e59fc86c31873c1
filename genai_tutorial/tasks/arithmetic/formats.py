"""Ways to write an answer, one function each: what a model of arithmetic is trained to
write.

Two ideas, alone and together: a scratchpad of partial results before the answer, and
all digits backwards, the ones first, so that each carry is known before it is needed.
"""

from collections.abc import Callable

from .questions import ArithmeticQuestion

AnswerFormat = Callable[[ArithmeticQuestion], str]
"""A function that writes the answer to a question."""

SEPARATOR, ANSWER_MARK = ",", ";"
"""The separators between partial results, and before the final answer."""


def direct(question: ArithmeticQuestion) -> str:
    """Write the answer alone.

    >>> direct(ArithmeticQuestion((16, 27, 72, 84)))
    '199'
    """
    return str(question.answer)


def backwards(question: ArithmeticQuestion) -> str:
    """Write the answer alone, the ones first.

    >>> backwards(ArithmeticQuestion((16, 27, 72, 84)))
    '991'
    """
    return direct(question)[::-1]


def scratchpad(question: ArithmeticQuestion) -> str:
    """Write the partial results, then the answer: for a sum the total after each
    number, for a product the products with each digit of the second number.

    >>> scratchpad(ArithmeticQuestion((16, 27, 72, 84)))
    '43,115;199'
    >>> scratchpad(ArithmeticQuestion((82, 83), "*"))
    '246,6560;6806'
    """
    *steps, answer = map(str, _steps(question))
    return SEPARATOR.join(steps) + ANSWER_MARK + answer


def backward_scratchpad(question: ArithmeticQuestion) -> str:
    """Write the partial results, then the answer, each number with its ones first.

    Source: Lee et al., Teaching Arithmetic to Small Transformers,
        https://arxiv.org/abs/2307.03381 (reversed digits, and scratchpads, each alone)

    >>> backward_scratchpad(ArithmeticQuestion((16, 27, 72, 84)))
    '34,511;991'
    """
    *steps, answer = (str(step)[::-1] for step in _steps(question))
    return SEPARATOR.join(steps) + ANSWER_MARK + answer


def _steps(question: ArithmeticQuestion) -> list[int]:
    if question.operation != "*":
        return question.partial_results()
    first, *others = question.numbers
    if len(others) > 1:
        raise ValueError(
            "The scratchpad of a product is for two numbers, got "
            f"{len(question.numbers)}."
        )
    digits = map(int, str(others[0])[::-1])
    return [*(first * digit * 10**place for place, digit in enumerate(digits)),
            question.answer]  # fmt: skip
