"""Simulated raters: the gold rule, individual tastes, and noise."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch

from .answer_text import courtesies, words
from .gold_rule import GoldRule
from .questions import Question

Choice = Literal["a", "b"]

LONGEST_COUNTED = 60
"""The number of words up to which a taste for long answers grows."""

MOST_COURTESIES = 10
"""The number of courtesies up to which a taste for them grows."""


@dataclass(frozen=True)
class Rater:
    """A simulated rater, who prefers one of two answers by the Bradley-Terry model.

    The probability of preferring a is sigmoid((u(a) - u(b)) / temperature), where u is
    the gold score plus the rater's taste. Sometimes the rater does not look and tosses
    a coin. Source: Bradley and Terry (1952), https://doi.org/10.2307/2334029.

    Attributes:
        temperature: The noise of the choices; at 0 the better answer always wins.
        length: The worth of ten more words.
        politeness: The worth of each courtesy.
        certainty: The worth of a claim, right or wrong.
        carelessness: The share of comparisons decided by a coin toss.
    """

    rule: GoldRule
    temperature: float | int = 0.5
    length: float | int = 0
    politeness: float | int = 0
    certainty: float | int = 0
    carelessness: float | int = 0

    def __post_init__(self):
        if self.temperature < 0:
            raise ValueError(
                f"temperature must not be negative, got {self.temperature}"
            )
        if not 0 <= self.carelessness <= 1:
            raise ValueError(
                f"carelessness must be between 0 and 1, got {self.carelessness}"
            )

    def utility(self, question: Question, answer: str) -> float:
        """Return the worth of an answer to this rater: the gold score plus taste."""
        taste = self.length * min(words(answer), LONGEST_COUNTED) / 10
        taste += self.politeness * min(courtesies(answer), MOST_COURTESIES)
        taste += self.certainty * (
            self.rule.response_type(question, answer) == "claims"
        )
        return self.rule.score(question, answer) + taste

    def probability(self, question: Question, a: str, b: str) -> float:
        """Return the probability that this rater prefers a to b."""
        difference = self.utility(question, a) - self.utility(question, b)
        if self.temperature == 0:
            looked = (1 + math.copysign(1, difference) * (difference != 0)) / 2
        else:
            looked = (
                1 + math.tanh(difference / self.temperature / 2)
            ) / 2  # the sigmoid, which cannot overflow
        return (1 - self.carelessness) * looked + self.carelessness / 2

    def prefer(
        self, question: Question, a: str, b: str, generator: torch.Generator
    ) -> Choice:
        """Draw which of two answers to a question the rater prefers."""
        chance = torch.rand((), generator=generator, dtype=torch.float64).item()
        return "a" if chance < self.probability(question, a, b) else "b"


def random_raters(
    n: int,
    rule: GoldRule,
    seed: int,
    temperature: float | int = 0.5,
    spread: float | int = 0.2,
) -> list[Rater]:
    """Draw raters whose tastes differ.

    Each taste is normally distributed around 0. The standard deviation is `spread` for
    certainty and for each courtesy, and half of it for ten words. One comparison in
    fifty is decided by a coin toss.

    Args:
        rule: The gold rule that they share.
        seed: The seed of their tastes.
        spread: The spread of their tastes; at 0 all raters are alike.

    Raises:
        ValueError: If `n` is less than one, or the spread is negative.
    """
    if n < 1 or spread < 0:
        raise ValueError(
            "There must be at least one rater and a spread that is not negative, got "
            f"{n} and {spread}"
        )
    tastes = spread * torch.randn(n, 3, generator=torch.Generator().manual_seed(seed))
    return [
        Rater(rule, temperature, length / 2, politeness, certainty, carelessness=0.02)
        for length, politeness, certainty in tastes.tolist()
    ]


def rater_agreement(
    first: Rater, second: Rater, pairs: Iterable[tuple[Question, str, str]]
) -> float:
    """Return the expected share of pairs in which two raters prefer the same answer, or
    one rater twice.

    It is computed from their probabilities, without sampling.

    Raises:
        ValueError: If there are no pairs.
    """
    rates = []
    for question, a, b in pairs:
        p, q = (
            first.probability(question, a, b),
            second.probability(question, a, b),
        )
        rates.append(p * q + (1 - p) * (1 - q))
    if not rates:
        raise ValueError("Agreement needs at least one pair of answers, got none")
    return sum(rates) / len(rates)
