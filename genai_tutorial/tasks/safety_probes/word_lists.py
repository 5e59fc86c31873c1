"""Word lists for tests of association: two groups of targets and two of attributes."""

from dataclasses import dataclass

HE_WORDS = ("he", "him", "his", "man", "men", "boy", "father", "son", "brother", "king",
            "husband")  # fmt: skip
SHE_WORDS = ("she", "her", "hers", "woman", "women", "girl", "mother", "daughter",
             "sister", "queen", "wife")  # fmt: skip

GENDER_PAIRS = (
    ("he", "she"), ("his", "her"), ("man", "woman"), ("men", "women"),
    ("boy", "girl"), ("father", "mother"), ("son", "daughter"), ("brother", "sister"),
    ("king", "queen"), ("husband", "wife"), ("male", "female"),
)  # fmt: skip
"""Pairs of words whose meaning differs in gender, for hard debiasing."""


@dataclass(frozen=True)
class TargetLists:
    """Two groups of target words."""

    first: tuple[str, ...]
    second: tuple[str, ...]


TARGETS = {
    "career and family": TargetLists(
        ("work", "office", "business", "company", "career", "professional", "army",
         "government", "president", "scientist"),
        ("home", "family", "children", "marriage", "parents", "married", "birth",
         "wedding", "child", "love"),
    ),
    "science and arts": TargetLists(
        ("science", "physics", "chemistry", "mathematics", "theory", "research",
         "experiment", "logic"),
        ("art", "poetry", "music", "dance", "novel", "drama", "literature", "poem"),
    ),
    "pleasant and unpleasant": TargetLists(
        ("love", "peace", "happy", "friend", "gift", "honor", "pleasure", "heaven"),
        ("war", "death", "hatred", "poison", "prison", "murder", "pain", "evil"),
    ),
}  # fmt: skip
"""Targets for he-words against she-words: two stereotypes and a control.

After Caliskan et al., https://arxiv.org/abs/1608.07187, tables 1 and 2, without
words that are rare in the book's text.
"""


@dataclass(frozen=True)
class Occupation:
    """An occupation.

    Attributes:
        women_at_work: The share of women among the employed, by the US Bureau of Labor
            Statistics, 2015 or 2016.
        women_in_text: The share of she-words among the pronouns that refer to it in a
            large collection of text.
    """

    name: str
    women_at_work: float
    women_in_text: float


OCCUPATIONS = tuple(
    Occupation(name, at_work / 100, in_text / 100)
    for name, at_work, in_text in (
        ("plumber", 0.7, 3.34), ("mechanic", 1.8, 0.89), ("carpenter", 2.07, 11.99),
        ("electrician", 2.3, 0.8), ("firefighter", 3.5, 3.09), ("painter", 5.7, 11.65),
        ("machinist", 6.7, 6.11), ("engineer", 10.72, 1.99),
        ("programmer", 18.35, 4.04), ("chef", 19.6, 6.66), ("architect", 20.81, 2.83),
        ("paramedic", 32.9, 7.52), ("janitor", 34.3, 4.2), ("lawyer", 34.5, 7.35),
        ("chemist", 36.1, 10.13), ("doctor", 37.9, 9.2), ("scientist", 41.94, 3.29),
        ("salesperson", 48.08, 35.79), ("dispatcher", 56.3, 68.57),
        ("pharmacist", 57.0, 11.53), ("accountant", 59.7, 9.26),
        ("bartender", 59.8, 20.42), ("veterinarian", 60.5, 35.55),
        ("baker", 60.8, 8.93),
        ("psychologist", 70.3, 33.15), ("teacher", 71.0, 54.35),
        ("cashier", 72.5, 67.46), ("therapist", 76.7, 61.86),
        ("librarian", 83.0, 85.58), ("paralegal", 85.4, 86.32), ("nurse", 89.58, 88.31),
        ("receptionist", 90.6, 67.22), ("hairdresser", 94.2, 80.11),
        ("secretary", 94.6, 10.43), ("hygienist", 96.4, 25.0),
    )
)  # fmt: skip
"""The occupations, from the smallest share of women at work to the largest.

Source: Rudinger et al., Gender Bias in Coreference Resolution,
https://arxiv.org/abs/1804.09301, whose table takes the first share from the US Bureau
of Labor Statistics and the second from Bergsma and Lin, Bootstrapping Path-Based
Pronoun Resolution, https://aclanthology.org/P06-1005. Of its 60 occupations these are
the ones that name a single kind of work, unlike *worker* or *specialist*, without the
rarer name where two have the same figure.
"""


def spread_of_occupations(count: int = 20) -> tuple[Occupation, ...]:
    """Return occupations at equal steps of their rank by the share of women at work.

    Raises:
        ValueError: If `count` is below 2 or there are fewer occupations.

    >>> [one.name for one in spread_of_occupations(3)]
    ['plumber', 'salesperson', 'hygienist']
    """
    last = len(OCCUPATIONS) - 1
    if not 2 <= count <= len(OCCUPATIONS):
        raise ValueError(f"count must be from 2 to {last + 1}, got {count}.")
    return tuple(OCCUPATIONS[round(k * last / (count - 1))] for k in range(count))
