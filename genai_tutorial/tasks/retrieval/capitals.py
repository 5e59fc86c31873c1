"""Completion prompts for the capitals of real and invented countries, to test whether a
model's doubt reveals what it does not know.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.data import Fact, with_article
from genai_tutorial.tasks.assistant import invented_countries, normalize_answer

EXAMPLES = (("France", "Paris"), ("Japan", "Tokyo"))
"""The two sentences that show the form."""


@dataclass(frozen=True)
class CapitalPrompt:
    """A text that ends where a capital should come.

    Attributes:
        country: The country, which may be invented.
        capital: Its capital; None for an invented country.
    """

    text: str
    country: str
    capital: str | None

    def is_right(self, answer: str) -> bool:
        """Return whether an answer is the capital; for an invented country nothing
        is.
        """
        return self.capital is not None and (
            normalize_answer(first_name(answer)) == normalize_answer(self.capital)
        )


def capital_prompts(
    facts: Sequence[Fact], real: int, invented: int, seed: int = 0
) -> tuple[CapitalPrompt, ...]:
    """Return prompts about real countries and then about invented ones.

    Args:
        facts: The facts, whose capitals are asked for.
        seed: The same seed draws the same countries.

    Raises:
        ValueError: If there are fewer countries with a capital.

    >>> print(capital_prompts([Fact("Kenya", "capital", "Nairobi")], 1, 0)[0].text)
    The capital of France is Paris.
    The capital of Japan is Tokyo.
    The capital of Kenya is
    """
    shown = [country for country, _ in EXAMPLES]
    capitals = [
        (fact.country, fact.answer)
        for fact in facts
        if fact.relation == "capital" and fact.country not in shown
    ]
    if real > len(capitals):
        raise ValueError(f"There are {len(capitals)} capitals to ask for, got {real=}.")
    order = torch.randperm(
        len(capitals), generator=torch.Generator().manual_seed(seed)
    ).tolist()
    asked: list[tuple[str, str | None]] = [capitals[place] for place in order[:real]]
    if invented:
        asked += [(name, None) for name in invented_countries(invented, seed)]
    begun = "".join(f"The capital of {a} is {b}.\n" for a, b in EXAMPLES)
    return tuple(
        CapitalPrompt(
            f"{begun}The capital of {with_article(country)} is", country, capital
        )
        for country, capital in asked
    )


def first_name(answer: str) -> str:
    """Return an answer up to the end of its sentence or line.

    >>> first_name(" Nairobi. The capital of"), first_name(" St. Louis\\n")
    ('Nairobi', 'St. Louis')
    """
    line = answer.strip().partition("\n")[0]
    end = line.find(". ", 4)
    return (line if end < 0 else line[:end]).removesuffix(".").strip(" ,")
