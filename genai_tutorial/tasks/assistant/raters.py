"""Simulated raters: the gold rule, a taste of one's own, and a coin that decides where
two answers are close.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from genai_tutorial.alignment import PreferencePair
from genai_tutorial.tasks.assistant.gold_rule import GoldRule, courtesies, words
from genai_tutorial.tasks.assistant.questions import Question

Choice = Literal["a", "b"]

LONGEST_COUNTED = 60
"""A taste for long answers grows up to this many words, one for courtesies up to ten.
"""


@dataclass(frozen=True)
class Rater:
    """Somebody who prefers one of two answers, following Bradley & Terry (1952):
    https://doi.org/10.2307/2334029.

    The probability to prefer a is sigmoid((u(a) - u(b)) / temperature), where u is the
    gold score plus the rater's taste, and now and then the rater does not look and
    tosses a coin.

    Attributes:
        rule: The gold rule.
        temperature: How much the rater wavers: at 0 never, unless two answers are as
            good.
        length: What ten words more are worth, which the gold rule does not like.
        politeness: What each courtesy is worth, however many there are.
        certainty: What it is worth that an answer claims something, be it right or not.
        carelessness: How often the rater does not look at all.
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
        """Return what an answer is worth to this rater: the gold score, and what taste
        adds.
        """
        taste = self.length * min(words(answer), LONGEST_COUNTED) / 10
        taste += self.politeness * min(courtesies(answer), 10)
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
        """Prefer one of two answers to a question: another call may prefer the
        other.
        """
        chance = torch.rand((), generator=generator, dtype=torch.float64).item()
        return "a" if chance < self.probability(question, a, b) else "b"


@dataclass(frozen=True)
class Comparison:
    """One answer that one rater preferred to another.

    Attributes:
        question: What was asked.
        chosen: The answer that was preferred.
        rejected: The other.
        rater: The number of the rater.
    """

    question: Question
    chosen: str
    rejected: str
    rater: int

    @property
    def pair(self) -> PreferencePair:
        """What a reward model learns from: the texts alone."""
        return PreferencePair(self.question.text, self.chosen, self.rejected)


def random_raters(
    n: int,
    rule: GoldRule,
    seed: int,
    temperature: float | int = 0.5,
    spread: float | int = 0.2,
) -> list[Rater]:
    """Draw raters whose tastes differ.

    Each taste is normally distributed around 0, for certainty and each courtesy with
    standard deviation `spread`, for ten words with half of it. One answer in fifty is
    not looked at.

    Args:
        n: How many.
        rule: The gold rule that they share.
        seed: The same seed draws the same raters.
        temperature: How much each of them wavers.
        spread: How different they are; 0 makes all alike.

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
    """Return how often two raters are expected to prefer the same answer; the same
    rater twice agrees with itself.

    It is computed from their probabilities, without a toss.

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


def collect_comparisons(
    pairs: Sequence[tuple[Question, str, str]],
    raters: Sequence[Rater],
    budget: int,
    seed: int,
) -> tuple[Comparison, ...]:
    """Spend a budget of comparisons: each shows one pair of answers to one rater, drawn
    at random.

    No pair is shown twice before all have been shown once, and which answer is shown
    first is drawn too.

    Args:
        pairs: Questions with two answers each, from wherever they come.
        raters: Who is asked.
        budget: How many comparisons there are in all.
        seed: The same seed gives the same comparisons.

    Raises:
        ValueError: If there is nothing to compare, nobody to ask, or no budget.
    """
    if not pairs or not raters or budget < 1:
        raise ValueError(
            "Comparing needs pairs, raters and a budget of at least 1, got "
            f"{len(pairs)}, {len(raters)} and {budget}"
        )
    generator = torch.Generator().manual_seed(seed)
    rounds = math.ceil(budget / len(pairs))
    shown = torch.cat(
        [torch.randperm(len(pairs), generator=generator) for _ in range(rounds)]
    )[:budget].tolist()
    asked = torch.randint(len(raters), (budget,), generator=generator).tolist()
    turned = torch.randint(2, (budget,), generator=generator).tolist()
    comparisons = []
    for index, number, turn in zip(shown, asked, turned, strict=True):
        question, *answers = pairs[index]
        a, b = answers[::-1] if turn else answers
        choice = raters[number].prefer(question, a, b, generator)
        chosen, rejected = (a, b) if choice == "a" else (b, a)
        comparisons.append(Comparison(question, chosen, rejected, number))
    return tuple(comparisons)
