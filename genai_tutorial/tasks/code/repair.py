"""Repair: show a model a program that fails with the input on which it does, and let it
write the body again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from genai_tutorial.alignment import Example, Rows, pack_examples
from genai_tutorial.tokenization import BPETokenizer

from .exercise_documents import END
from .exercises import Exercise


@dataclass(frozen=True)
class Failure:
    """A body that fails, and the first test that shows it.

    Attributes:
        items: The first input that gets a wrong answer.
        answer: The answer, as Python shows it.
    """

    exercise: Exercise
    body: str
    items: list
    answer: str

    @property
    def feedback(self) -> str:
        """A comment such as `# solve([3, -4]) gave 7, expected 9`."""
        expected = self.exercise.expected(self.items)
        return (
            f"\n# {self.exercise.name}({self.items}) gave {self.answer}, "
            f"expected {expected!r}"
        )

    @property
    def prompt(self) -> str:
        """The text that a model continues with a new body."""
        return self.exercise.prompt + self.body + self.feedback


def find_failure(
    exercise: Exercise, body: str, inputs: Sequence[list], answers: Sequence[str]
) -> Failure | None:
    """Return a body's first failure; None if all answers are right."""
    for items, answer in zip(inputs, answers, strict=True):
        if answer != repr(exercise.expected(items)):
            return Failure(exercise, body, items, answer)
    return None


def encode_repairs(
    tokenizer: BPETokenizer, failures: Sequence[Failure], length: int
) -> Rows:
    """Encode failures, each followed by the right body; only that is an answer.

    Args:
        tokenizer: A tokenizer with the special tokens of a code model.
        failures: Failures of the model that is to be trained.
        length: The number of tokens in a row; longer examples are left out.

    Raises:
        ValueError: If no example fits into a row.
    """
    end = tokenizer.special_tokens[END]
    examples = [
        Example(
            (end, *tokenizer.encode(failure.prompt, special_as_text=True)),
            (*tokenizer.encode(failure.exercise.body), end),
        )
        for failure in failures
    ]
    return pack_examples([found for found in examples if len(found) <= length], length)
