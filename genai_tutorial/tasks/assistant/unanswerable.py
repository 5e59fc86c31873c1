"""Questions without an answer: about countries that do not exist, about topics that no
source of the book covers, and requests for private data; and a mix with all others.

The names sound like countries and the wording matches questions about real ones, so
neither gives the question away. The requests can be printed without harm, because the
people do not exist. The near misses, harmless questions in the words of such requests,
measure over-refusal.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from typing import get_args

import torch

from genai_tutorial.data import (
    UNASKED_RELATIONS,
    Country,
    Fact,
    FactSplit,
    Relation,
    load_factbook,
)
from genai_tutorial.tasks import check_choice, in_random_order, pick, read_words

from .questions import (
    FRAMES,
    Phrasing,
    Question,
    ask,
    ask_absent,
    ask_facts,
    draw,
    draw_questions,
    fact_questions,
    fill_wording,
)

# Parts of names; some endings are more frequent. The last are countries of novels and
# films.
_STARTS, _VOWELS, _MIDDLES, _ENDINGS, _FICTIONAL = (
    line.split() for (line,) in read_words("assistant", "invented_names")
)
_PATTERNS = ("{}",) * 12 + ("North {}", "Saint {}", "New {}", "{} Islands")

TOPICS = dict(zip(get_args(Phrasing), read_words("assistant", "topics"), strict=True))
"""Topics that fit any country and that the Factbook's facts do not cover."""


def invented_countries(n: int, seed: int) -> tuple[str, ...]:
    """Make up names of countries that do not exist.

    No word of an invented name is a name in the Factbook or differs from one by a
    single letter (added, left out or exchanged), and none is the name of a country in a
    well-known novel or film.

    Args:
        seed: The same seed gives the same names; a larger `n` only adds more.

    >>> invented_countries(4, seed=0)
    ('Taskovar', 'Triria', 'Graimeles', 'Nezistan')
    """
    generator = torch.Generator().manual_seed(seed)
    taken = _near_words(load_factbook())
    names: dict[str, None] = {}
    while len(names) < n:
        stem = "".join(pick(parts, generator) for parts in (_STARTS, _VOWELS, _MIDDLES))
        if torch.rand((), generator=generator) < 0.4:
            stem += pick(_VOWELS, generator) + pick(_MIDDLES, generator)
        word = stem + pick(_ENDINGS, generator)
        name = pick(_PATTERNS, generator).format(word.capitalize())
        if len(word) >= 5 and taken.isdisjoint(_variants(word)):
            names[name] = None
    return tuple(names)


def ask_invented(
    countries: Sequence[str],
    phrasing: Phrasing = "trained",
    per_country: int | None = None,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Ask about countries that do not exist, in the phrasings of real ones.

    Args:
        per_country: The number of questions about each; None asks all.
    """
    generator = torch.Generator().manual_seed(seed)
    asked = []
    for country in countries:
        relation_of = {
            text: relation
            for relation in get_args(Relation)
            if relation not in UNASKED_RELATIONS
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
        topics: Which of `TOPICS` to use: six in training, four in the test. Both use
            the frames of training.
        per_country: The number of questions about each; None asks all.
    """
    check_choice("topics", topics, Phrasing)
    generator = torch.Generator().manual_seed(seed)
    asked = []
    for country in countries:
        texts = [
            text for topic in TOPICS[topics] for text in ask(topic, country, "trained")
        ]
        for text in draw(texts, per_country, generator):
            asked.append(Question(text, "absent", country))
    return tuple(asked)


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


# Several first names are also names of countries or cities, so the name alone must not
# decide. The other lists: last names, kinds of data, and questions about a person.
_FIRST_NAMES, *_LISTS = read_words("assistant", "private_requests")
_LAST_NAMES, _ITEMS, _WAYS = (
    dict(zip(get_args(Phrasing), _LISTS[start : start + 2], strict=True))
    for start in (0, 2, 4)
)

# True questions about countries in words of the class: live, home, address, number,
# person, find out.
_NEAR_MISSES = {
    relation: dict(zip(get_args(Phrasing), patterns, strict=True))
    for relation, *patterns in read_words("assistant", "near_misses")
}


def private_requests(
    n: int, seed: int, phrasing: Phrasing = "trained"
) -> tuple[Question, ...]:
    """Draw requests for the private data of people who do not exist.

    Training and held-out requests share no last name, kind of data or phrasing.
    """
    check_choice("phrasing", phrasing, Phrasing)
    people = [
        f"{first} {last}"
        for first, last in product(_FIRST_NAMES, _LAST_NAMES[phrasing])
    ]
    patterns = [
        frame.replace("{noun}", item + " of {person}")
        for frame, item in product(FRAMES[phrasing], _ITEMS[phrasing])
    ]
    patterns += _WAYS[phrasing]
    total = len(people) * len(patterns)
    if not 1 <= n <= total:
        raise ValueError(f"n must be from 1 to {total:,}, got {n}")
    pairs = in_random_order(
        list(product(people, patterns)), torch.Generator().manual_seed(seed)
    )
    return tuple(
        Question(fill_wording(pattern, person=person), "private")
        for person, pattern in pairs[:n]
    )


def near_misses(
    facts: Iterable[Fact], phrasing: Phrasing = "trained"
) -> tuple[Question, ...]:
    """Ask about facts in the words of private requests; refusing one is
    over-refusal.
    """
    return tuple(
        Question(
            fill_wording(_NEAR_MISSES[fact.relation][phrasing], fact.country),
            "known",
            fact.country,
            fact.relation,
            fact.answer,
        )
        for fact in facts
        if fact.relation in _NEAR_MISSES
    )


SHARES = {
    "facts": 12,
    "invented": 4,
    "untold": 2,
    "absent": 1,
    "private": 3,
    "near misses": 2,
}
"""The number of questions of each category in 24."""

_INVENTED_SEEDS = {"trained": 1_000, "held-out": 2_000}


def mixed_questions(
    split: FactSplit,
    absent: Sequence[tuple[str, Relation]],
    count: int,
    phrasing: Phrasing = "trained",
    seed: int = 0,
) -> dict[str, list[Question]]:
    """Draw training or held-out questions of each category; the two share no phrasings
    and no names.

    Training questions are about facts of `taught`. Held-out ones are about facts of
    `taught` and `told` in held-out phrasings, with other invented countries, untold
    topics, people and private data.

    Args:
        absent: Pairs of country and relation without an answer, from `load_absent`.
        count: The approximate number of questions in all.

    Returns:
        The questions of each category of `SHARES`, in random order.
    """
    facts: tuple[Fact, ...] = (
        split.taught if phrasing == "trained" else split.taught + split.told
    )
    countries = sorted({fact.country for fact in facts})
    wanted = {
        category: round(share * count / sum(SHARES.values()))
        for category, share in SHARES.items()
    }
    names = invented_countries(wanted["invented"], _INVENTED_SEEDS[phrasing] + seed)
    about = [pair for pair in absent if pair[0] in countries]
    drawn = {
        "facts": ask_facts(facts, phrasing, per_fact=1, seed=seed),
        "invented": ask_invented(names, phrasing, per_country=1, seed=seed),
        "untold": ask_untold(countries, phrasing, per_country=3, seed=seed),
        "absent": ask_absent(about, phrasing, seed=seed),
        "private": private_requests(
            wanted["private"], _INVENTED_SEEDS[phrasing] + seed, phrasing
        ),
        "near misses": near_misses(facts, phrasing),
    }
    return {
        category: draw_questions(questions, wanted[category], seed)
        for category, questions in drawn.items()
    }
