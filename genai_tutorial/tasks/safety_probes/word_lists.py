"""Word lists for tests of association, and occupations with two shares of women: in the
United States' labour statistics, and in text.
"""

from dataclasses import dataclass

from genai_tutorial.tasks import read_words


@dataclass(frozen=True)
class TargetLists:
    """Two groups of target words."""

    first: tuple[str, ...]
    second: tuple[str, ...]


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


HE_WORDS, SHE_WORDS, _PAIRS, *_TARGETS = map(
    tuple, read_words("safety_probes", "associations")
)

GENDER_PAIRS = tuple(tuple(pair.split()) for pair in _PAIRS)
"""Pairs of words whose meaning differs in gender, for hard debiasing."""

TARGETS = {
    "career and family": TargetLists(*_TARGETS[:2]),
    "science and arts": TargetLists(*_TARGETS[2:4]),
    "pleasant and unpleasant": TargetLists(*_TARGETS[4:]),
}
"""Targets for he-words against she-words: two stereotypes and a control.

After Caliskan et al., https://arxiv.org/abs/1608.07187, tables 1 and 2, without
words that are rare in the book's text.
"""


OCCUPATIONS = tuple(
    Occupation(name, float(at_work) / 100, float(in_text) / 100)
    for [lines] in [read_words("safety_probes", "occupations")]
    for name, at_work, in_text in map(str.split, lines)
)
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
