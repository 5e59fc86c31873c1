"""A prompting task: items to answer, a separate pool of demonstrations, and a judge."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from .judge import Judge, Verdict
from .prompt import Prompt, PromptExample


@dataclass(frozen=True)
class PromptTask:
    """A task with what is needed to prompt for it and to judge the answers.

    Attributes:
        name: The task's name.
        instruction: What to do, in words.
        template: The format of a question and its answer; see `Prompt`.
        pool: Solved examples for demonstrations; none of them is a test item.
        judge: Judges an answer strictly and leniently.
        labels: The possible answers, if the task is a choice.
        max_new_tokens: Room for an answer that says no more than it must.
    """

    name: str
    instruction: str
    template: str
    items: tuple[PromptExample, ...]
    pool: tuple[PromptExample, ...]
    judge: Judge
    labels: tuple[str, ...] = ()
    max_new_tokens: int = 12

    @property
    def questions(self) -> list[str]:
        """The questions of the test items."""
        return [item.question for item in self.items]

    def demonstrations(self, shots: int, seed: int = 0) -> tuple[PromptExample, ...]:
        """Draw demonstrations from the pool.

        With the same seed, more shots begin with the same demonstrations.

        Raises:
            ValueError: If the pool has fewer.
        """
        if not 0 <= shots <= len(self.pool):
            raise ValueError(
                f"The pool of {self.name} has {len(self.pool)} demonstrations, so "
                f"shots must be from 0 to {len(self.pool)}; got {shots}."
            )
        shuffled = random.Random(seed).sample(self.pool, len(self.pool))
        return tuple(shuffled[:shots])

    def prompt(self, shots: int, seed: int = 0, worked: bool = False) -> Prompt:
        """Return a prompt with demonstrations drawn from the pool.

        Args:
            worked: Show the reasoning of the demonstrations.

        Raises:
            ValueError: If the pool has fewer demonstrations, or they have no reasoning
                to show.
        """
        drawn = self.demonstrations(shots, seed)
        if worked and not all(example.worked for example in drawn):
            raise ValueError(
                f"The demonstrations of {self.name} have no reasoning: use "
                "worked=False."
            )
        return Prompt(self.template, drawn, self.instruction, worked=worked)

    def verdicts(self, answers: Sequence[str]) -> list[Verdict]:
        """Judge one answer per item.

        Raises:
            ValueError: If there are more or fewer answers than items.
        """
        if len(answers) != len(self.items):
            raise ValueError(
                f"{self.name} has {len(self.items)} items, got {len(answers)} answers."
            )
        return [
            self.judge(answer, item)
            for answer, item in zip(answers, self.items, strict=True)
        ]


def split_words(text: str) -> list[str]:
    """Return the words of a text, for word lists that are easier to read in lines."""
    return text.split()
