"""Verifiable rewards: programs that decide whether an answer is right, and the score
that they give to rollouts.

A verifier cannot be flattered, but it can be wrong about what it accepts: training
finds every text that passes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from genai_tutorial.generation import Rollouts, Score


@runtime_checkable
class Verifier(Protocol):
    """A program that judges an answer; called as `verifier(answer, truth)`, it returns
    a reward, usually 0 or 1.
    """

    def __call__(self, answer: str, truth: str) -> float:
        """Return the reward of an answer."""


@dataclass(frozen=True)
class ExactAnswer:
    """A verifier that accepts an answer if its one final answer is exactly the truth.

    The final answer stands after a semicolon; without one, the whole text is the final
    answer. Text with more than one semicolon is rejected.

    >>> verifier = ExactAnswer()
    >>> [verifier(text, "991") for text in ("34,511;991", "991", "9;9;991", "99")]
    [1.0, 1.0, 0.0, 0.0]
    """

    def __call__(self, answer: str, truth: str) -> float:
        """Return 1 if the final answer is the truth, else 0."""
        *working, final = answer.split(";")
        return float(len(working) <= 1 and final == truth)


def appears_anywhere(answer: str, truth: str) -> float:
    """Return 1 if the truth appears anywhere in the answer: a weak verifier, because a
    long list of guesses passes it.

    >>> appears_anywhere("34,511;991", "991"), appears_anywhere("990,991,992", "991")
    (1.0, 1.0)
    """
    return float(truth in answer)


def verified_score(
    verifier: Verifier, truths: Sequence[str], decode: Callable[[list[int]], str]
) -> Score:
    """Return the function that scores rollouts by a verifier."""

    def score(rollouts: Rollouts) -> torch.Tensor:
        answers = rollouts.answers()
        group_size, rest = divmod(len(answers), len(truths))
        if rest:
            raise ValueError(
                "There must be equally many answers to each prompt; got "
                f"{len(answers)} answers to {len(truths)} prompts."
            )
        return torch.tensor(
            [
                verifier(decode(answer), truths[place // group_size])
                for place, answer in enumerate(answers)
            ]
        )

    return score
