"""Arithmetic questions, and the split that keeps the same numbers out of both parts."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from genai_tutorial.data import Source

SUMS = Source(
    name="Sums",
    loader="random_sums",
    contents="as many sums of four two-digit numbers as wanted, a tenth held out",
    package="genai_tutorial",
    extra="core",
    url="https://github.com/genai-tutorial/genai-tutorial",
    licence="MIT, as the code that writes them",
    attribution="The Generative AI Explained authors",
)

Operation = Literal["+", "*"]

HELD_OUT_SHARE = 10
"""One in so many sets of numbers is held out."""


@dataclass(frozen=True)
class ArithmeticQuestion:
    """Numbers joined by one operation.

    Attributes:
        numbers: At least two numbers, none negative.
        operation: What joins them.

    Raises:
        ValueError: If there are fewer than two numbers, one is negative, or the
            operation is unknown.

    >>> question = ArithmeticQuestion((16, 27, 72, 84))
    >>> question.text, question.answer
    ('16+27+72+84=', 199)
    """

    numbers: tuple[int, ...]
    operation: Operation = "+"

    def __post_init__(self):
        if len(self.numbers) < 2 or min(self.numbers) < 0:
            raise ValueError(
                "A question has at least two numbers, none of them negative; got "
                f"{self.numbers}."
            )
        if self.operation not in get_args(Operation):
            raise ValueError(
                f"operation must be one of {', '.join(get_args(Operation))}; got "
                f"{self.operation!r}."
            )

    @property
    def text(self) -> str:
        """The question as the model reads it."""
        return self.operation.join(map(str, self.numbers)) + "="

    @property
    def answer(self) -> int:
        """The right answer."""
        return self.partial_results()[-1]

    def partial_results(self) -> list[int]:
        """Return the result after each further number, the answer last.

        >>> ArithmeticQuestion((16, 27, 72, 84)).partial_results()
        [43, 115, 199]
        """
        result, results = self.numbers[0], []
        for number in self.numbers[1:]:
            result = result + number if self.operation == "+" else result * number
            results.append(result)
        return results


def is_held_out(question: ArithmeticQuestion) -> bool:
    """Return whether a question belongs to the tenth that no model is trained on.

    A hash of the sorted numbers decides. So 16+27+72+84 and 84+16+27+72 are always in
    the same part, although they are different texts.

    >>> one, other = (16, 27, 72, 84), (84, 16, 27, 72)
    >>> is_held_out(ArithmeticQuestion(one)) == is_held_out(ArithmeticQuestion(other))
    True
    """
    name = question.operation.join(map(str, sorted(question.numbers)))
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % HELD_OUT_SHARE == 0


def random_sums(
    count: int,
    seed: int,
    *,
    held_out: bool = False,
    terms: int = 4,
    digits: int = 2,
) -> list[ArithmeticQuestion]:
    """Return random sums, from one part of the split.

    Args:
        count: The number of questions; they may repeat.
        held_out: Which part: the tenth for testing, or the rest for training.
        terms: How many numbers are added.

    Raises:
        ValueError: If `count` or `digits` is less than one, or there are fewer than two
            terms.
    """
    if terms < 2 or digits < 1:
        raise ValueError(
            "A sum has at least two terms of at least one digit, got "
            f"{terms} terms and {digits} digits."
        )
    return _draw(
        count,
        held_out,
        random.Random(f"sums {seed}"),
        lambda source: ArithmeticQuestion(
            tuple(
                source.randint(10 ** (digits - 1), 10**digits - 1) for _ in range(terms)
            )
        ),
    )


def random_products(
    count: int, seed: int, *, held_out: bool = False
) -> list[ArithmeticQuestion]:
    """Return random products of two two-digit numbers, from one part of the split.

    Args:
        count: The number of questions; they may repeat.
        held_out: Which part: the tenth for testing, or the rest for training.

    Raises:
        ValueError: If `count` is less than one.
    """
    return _draw(
        count,
        held_out,
        random.Random(f"products {seed}"),
        lambda source: ArithmeticQuestion(
            (source.randint(10, 99), source.randint(10, 99)), "*"
        ),
    )


def _draw(
    count: int,
    held_out: bool,
    source: random.Random,
    draw: Callable[[random.Random], ArithmeticQuestion],
) -> Sequence[ArithmeticQuestion]:
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}.")
    questions: list[ArithmeticQuestion] = []
    while len(questions) < count:
        question = draw(source)
        if is_held_out(question) == held_out:
            questions.append(question)
    return questions
