"""Comparisons of answers: collected from simulated raters, and split by question."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from genai_tutorial.alignment import PreferencePair
from genai_tutorial.data import Fact

from .chat_format import DECLINING_ANSWERS
from .questions import Question, answer_sentence
from .raters import Rater


@dataclass(frozen=True)
class Comparison:
    """A comparison of two answers by one rater.

    Attributes:
        chosen: The answer that was preferred.
        rejected: The other answer.
    """

    question: Question
    chosen: str
    rejected: str
    rater: int

    @property
    def pair(self) -> PreferencePair:
        """The texts alone: what a reward model is trained on."""
        return PreferencePair(self.question.text, self.chosen, self.rejected)


def collect_comparisons(
    pairs: Sequence[tuple[Question, str, str]],
    raters: Sequence[Rater],
    budget: int,
    seed: int,
) -> tuple[Comparison, ...]:
    """Collect comparisons: each shows one pair of answers to one random rater.

    No pair is shown twice before all have been shown once. The order of the two answers
    is random too.

    Args:
        pairs: Questions with two answers each.
        seed: The seed of pairs, raters and preferences.

    Raises:
        ValueError: If there are no pairs or raters, or the budget is below 1.
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


def contrasting_answers(
    questions: Sequence[Question], facts: Sequence[Fact], seed: int
) -> list[list[str]]:
    """Return answers to each question that the assistant rarely gives, so that raters
    see them too: two that decline, and a made-up claim if the question has no answer.

    Args:
        facts: The source of the claims: other facts of the same relation, or any fact
            if the question has no relation.

    >>> facts = [Fact("Kenya", "capital", "Nairobi"), Fact("Peru", "capital", "Lima")]
    >>> unknown = Question("Its capital?", "invented", "Zelvania", "capital")
    >>> contrasting_answers([unknown], facts, seed=0)[0][2]
    'The capital of Zelvania is Nairobi.'
    """
    generator = torch.Generator().manual_seed(seed)
    return [
        [*DECLINING_ANSWERS]
        if question.answer is not None
        else [*DECLINING_ANSWERS, wrong_claim(question, facts, generator)]
        for question in questions
    ]


def wrong_claim(
    question: Question, facts: Sequence[Fact], generator: torch.Generator
) -> str:
    """Draw a claim that does not answer the question: another fact's answer."""
    possible = [
        fact
        for fact in facts
        if question.relation in (None, fact.relation) and fact.answer != question.answer
    ]
    fact = possible[int(torch.randint(len(possible), (1,), generator=generator))]
    if question.relation is None:
        return f"{fact.phrase}."
    return f"{answer_sentence(replace(question, answer=fact.answer))}."


def split_by_question(
    comparisons: Sequence[Comparison], held_out: float, seed: int = 0
) -> tuple[tuple[Comparison, ...], tuple[Comparison, ...]]:
    """Split comparisons into training and held-out ones that share no question.

    A random split of the comparisons would leak: most held-out comparisons would be
    about answers that the reward model has seen judged.

    Args:
        held_out: The share of the questions to hold out.

    Returns:
        The training comparisons and the held-out ones.

    Raises:
        ValueError: If one of the two parts would be empty.
    """
    texts = list(dict.fromkeys(one.question.text for one in comparisons))
    count = round(held_out * len(texts))
    if not 0 < count < len(texts):
        raise ValueError(
            f"A share of {held_out} of {len(texts)} questions leaves one part empty"
        )
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed))
    apart = {texts[place] for place in order[:count].tolist()}
    return (
        tuple(one for one in comparisons if one.question.text not in apart),
        tuple(one for one in comparisons if one.question.text in apart),
    )
