"""Questions about long histories: when did a country become independent? The year is
in the text, among those of its other events and of other countries.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.data import Country, Fact
from genai_tutorial.tasks.assistant import Question


@dataclass(frozen=True)
class HistoryExam:
    """A long text and questions about it.

    Attributes:
        countries: The countries whose histories make up the text.
        histories: One history for each country, which begins with its name.
        questions: The questions, each about one country.
        right: The number of the history that answers each question, from 0.
    """

    countries: tuple[str, ...]
    histories: tuple[str, ...]
    questions: tuple[Question, ...]
    right: tuple[int, ...]


def history_exam(
    countries: Sequence[Country],
    facts: Sequence[Fact],
    histories: int = 8,
    questions: int = 4,
    seed: int = 0,
) -> HistoryExam:
    """Draw histories of the Factbook whose country's year of independence is in them,
    and ask for some of these years.

    Args:
        countries: The Factbook's countries.
        facts: The Factbook's facts.
        histories: The number of histories in the text, of about 400 tokens each.
        seed: Draws both.

    Raises:
        ValueError: If there are more questions than histories, or too few countries.
    """
    texts = {country.name: country.background for country in countries}
    usable = [
        fact
        for fact in facts
        if fact.relation == "independence"
        and re.search(rf"\b{re.escape(fact.answer)}\b", texts.get(fact.country, ""))
    ]
    if not 1 <= questions <= histories <= len(usable):
        raise ValueError(
            f"questions may be at most histories, and histories at most {len(usable)}; "
            f"got {questions=} and {histories=}."
        )
    generator = torch.Generator().manual_seed(seed)
    drawn = [
        usable[n]
        for n in torch.randperm(len(usable), generator=generator)[:histories].tolist()
    ]
    asked = torch.randperm(histories, generator=generator)[:questions].tolist()
    return HistoryExam(
        tuple(fact.country for fact in drawn),
        tuple(f"{fact.country}: {texts[fact.country]}" for fact in drawn),
        tuple(
            Question(
                f"In which year did {drawn[n].country} become independent?",
                "known",
                drawn[n].country,
                "independence",
                drawn[n].answer,
            )
            for n in asked
        ),
        tuple(asked),
    )
