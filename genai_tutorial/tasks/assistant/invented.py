"""Questions without an answer: about countries that do not exist, and about topics that
no source of the book covers.

An honest model answers "I do not know". The names sound like countries, and the
questions have the same wording as those about real ones, so neither the wording nor the
ending of a name gives it away.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import get_args

import torch

from genai_tutorial.data import UNASKED_RELATIONS, Country, Relation, load_factbook

from .questions import Question, draw
from .wordings import Phrasing, ask, check_phrasing, fact_questions

_STARTS = (
    "b", "br", "c", "d", "dr", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pr",
    "qu", "r", "s", "st", "t", "tr", "v", "z",
)  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "o", "ai")
_MIDDLES = ("l", "m", "n", "nd", "r", "rn", "s", "sk", "t", "v", "z", "lm", "d", "k")

# Endings and beginnings of real names; some have a second word.
_ENDINGS = (
    "ia", "ia", "ia", "ia", "a", "a", "a", "ania", "istan", "istan", "on", "in", "es",
    "os", "e", "ea", "i", "oland", "y", "o", "u", "al", "ar",
)  # fmt: skip
_PATTERNS = ("{}",) * 12 + ("North {}", "Saint {}", "New {}", "{} Islands")

# Countries of novels and films, some of which have a capital.
_FICTIONAL = (
    "Freedonia",
    "Genovia",
    "Latveria",
    "Ruritania",
    "Sokovia",
    "Syldavia",
    "Borduria",
    "Wakanda",
    "Zamunda",
)

TOPICS = {
    "trained": (
        "the oldest bakery in {country}",
        "the tallest tree of {country}",
        "the largest library of {country}",
        "the most popular first name in {country}",
        "the favourite soup of {country}",
        "the longest bridge in {country}",
    ),
    "held-out": (
        "the busiest bus stop in {country}",
        "the best-known painter of {country}",
        "the oldest school in {country}",
        "the favourite board game of {country}",
    ),
}
"""Topics that fit any country and that the Factbook's facts do not cover."""


def invented_countries(
    n: int, seed: int, without: Sequence[str] = ()
) -> tuple[str, ...]:
    """Make up names of countries that do not exist.

    No word of an invented name is a name in the Factbook or differs from one by a
    single letter (added, left out or exchanged), and none is the name of a country in a
    well-known novel or film.

    Args:
        n: The number of different names.
        seed: The same seed gives the same names; a larger `n` only adds more.
        without: Names to exclude, such as those used in training.

    Raises:
        ValueError: If `n` is less than one.

    >>> invented_countries(4, seed=0)
    ('Taskovar', 'Triria', 'Graimeles', 'Nezistan')
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    generator = torch.Generator().manual_seed(seed)
    taken = _near_words(load_factbook())
    names: dict[str, None] = {}
    while len(names) < n:
        stem = (
            _pick(_STARTS, generator)
            + _pick(_VOWELS, generator)
            + _pick(_MIDDLES, generator)
        )
        if torch.rand((), generator=generator) < 0.4:
            stem += _pick(_VOWELS, generator) + _pick(_MIDDLES, generator)
        word = stem + _pick(_ENDINGS, generator)
        name = _pick(_PATTERNS, generator).format(word.capitalize())
        if len(word) >= 5 and taken.isdisjoint(_variants(word)) and name not in without:
            names[name] = None
    return tuple(names)


def ask_invented(
    countries: Sequence[str],
    phrasing: Phrasing = "trained",
    per_country: int | None = None,
    seed: int = 0,
    relations: Sequence[Relation] | None = None,
) -> tuple[Question, ...]:
    """Ask about countries that do not exist, in the phrasings of real ones.

    Args:
        countries: Their names; see `invented_countries`.
        phrasing: `"trained"` or `"held-out"`.
        per_country: The number of questions about each; None asks all.
        seed: The same seed draws the same questions.
        relations: The relations to ask for; None takes all but `UNASKED_RELATIONS`.

    Raises:
        ValueError: If there are fewer questions.

    >>> ask_invented(["Zelvania"], per_country=1)[0].kind
    'invented'
    """
    if relations is None:
        relations = [
            relation
            for relation in get_args(Relation)
            if relation not in UNASKED_RELATIONS
        ]
    generator = torch.Generator().manual_seed(seed)
    asked = []
    for country in countries:
        relation_of = {
            text: relation
            for relation in relations
            for text in fact_questions(relation, country, phrasing)
        }
        for text in draw(tuple(relation_of), per_country, generator):
            asked.append(Question(text, "invented", country, relation_of[text]))
    return tuple(asked)


def ask_untold(
    countries: Sequence[str],
    topics: Phrasing = "trained",
    per_country: int | None = None,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Ask about real countries for things that the Factbook does not state, in the
    frames used for those that it does.

    Args:
        countries: Names of real countries.
        topics: Which of `TOPICS` to use: six in training, four in the test. Both use
            the frames of training.
        per_country: The number of questions about each; None asks all.
        seed: The same seed draws the same questions.

    Raises:
        ValueError: If there are fewer questions, or no such topics.

    >>> ask_untold(["Kenya"], "held-out")[0].text
    'What is the busiest bus stop in Kenya?'
    """
    check_phrasing(topics)
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        Question(text, "absent", country)
        for country in countries
        for text in draw(
            [
                text
                for topic in TOPICS[topics]
                for text in ask(topic, country, "trained")
            ],
            per_country,
            generator,
        )
    )


def _pick(choices: Sequence[str], generator: torch.Generator) -> str:
    return choices[int(torch.randint(len(choices), (), generator=generator))]


@cache
def _near_words(countries: tuple[Country, ...]) -> frozenset[str]:
    """Every capitalized word of the Factbook and of fiction, and what remains of each
    without one letter.
    """
    texts = " ".join(
        text
        for country in countries
        for text in (*country.entries.values(), *country.names)
    )
    words = {word.lower() for word in re.findall(r"[A-Z][A-Za-z]{3,}", texts)} | {
        name.lower() for name in _FICTIONAL
    }
    return frozenset(variant for word in words for variant in _variants(word))


def _variants(word: str) -> set[str]:
    """Return a word, and the word without any one of its letters: two words that differ
    in one letter have one in common.
    """
    return {word} | {word[:place] + word[place + 1 :] for place in range(len(word))}
