"""Questions that the library answers, and two kinds that it does not."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.data import Fact
from genai_tutorial.tasks.assistant import (
    Question,
    ask_facts,
    ask_invented,
    ask_untold,
    invented_countries,
    normalize_answer,
)


@dataclass(frozen=True)
class AbstentionExam:
    """Questions for a search that should know when it has found nothing.

    Attributes:
        known: Questions about facts of the library, in held-out phrasings.
        invented: Questions in the same phrasings about countries that do not exist.
        untold: Questions about real countries for what the library does not tell.
    """

    known: tuple[Question, ...]
    invented: tuple[Question, ...]
    untold: tuple[Question, ...]


def abstention_exam(facts: Sequence[Fact], count: int, seed: int = 0) -> AbstentionExam:
    """Draw `count` questions of each kind.

    Args:
        count: The number of questions of each kind.
        seed: The same seed draws the same questions.

    Raises:
        ValueError: If there are fewer facts, or `count` is below 1.
    """
    if not 1 <= count <= len(facts):
        raise ValueError(f"count must be from 1 to {len(facts)}, got {count}.")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(facts), generator=generator)[:count].tolist()
    countries = sorted({fact.country for fact in facts})
    order = torch.randperm(len(countries), generator=generator).tolist()
    drawn = [countries[order[place % len(order)]] for place in range(count)]
    return AbstentionExam(
        ask_facts([facts[place] for place in chosen], "held-out", 1, seed),
        ask_invented(invented_countries(count, seed), "held-out", 1, seed),
        ask_untold(drawn, "held-out", 1, seed),
    )


def names_the_country(question: Question, passage: str) -> bool:
    """Return whether a passage names the country that a question names: a check that a
    similar sentence about another country does not pass.

    >>> asked = Question("Kenya's capital?", "known", "Kenya", "capital", "Nairobi")
    >>> names_the_country(asked, "The capital of Mali is Bamako.")
    False
    """
    padded = f" {normalize_answer(passage)} "
    return f" {normalize_answer(question.country)} " in padded
