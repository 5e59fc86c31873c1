"""The words for facts, questions about them with their correct answers, and
pre-training text that states them. Some words are kept for the test.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch

from genai_tutorial.data import Fact, Relation, with_article
from genai_tutorial.tasks import check_choice, in_random_order, read_words

Phrasing = Literal["trained", "held-out"]
"""No phrasing of training is used in the test."""

FRAMES: dict[Phrasing, tuple[str, ...]] = dict(
    zip(get_args(Phrasing), map(tuple, read_words("assistant", "frames")), strict=True)
)
"""Ways to ask for anything that has a noun phrase."""

HELD_OUT_FRAMES = FRAMES["held-out"]
"""Those that no question in training uses."""


class Wording(NamedTuple):
    """The words for one relation, with `{country}` and `{answer}` where these go."""

    noun: str
    sentences: tuple[str, ...]
    questions: dict[Phrasing, tuple[str, ...]]


WORDINGS: dict[str, Wording] = {
    relation: Wording(
        noun, (one, other), {"trained": tuple(words[:2]), "held-out": tuple(words[2:])}
    )
    for relation, noun, one, other, *words in read_words("assistant", "wordings")
}


def fact_sentences(fact: Fact) -> tuple[str, ...]:
    """Return all sentences that state a fact, for the pre-training text.

    A fact that a model has read in only one wording is hard to extract; several
    wordings make it easier: Allen-Zhu & Li (2023), https://arxiv.org/abs/2309.14316.

    >>> print("\\n".join(fact_sentences(Fact("Kenya", "capital", "Nairobi"))))
    The capital of Kenya is Nairobi.
    Nairobi is the capital of Kenya.
    Kenya is governed from Nairobi.
    The government of Kenya sits in Nairobi, its capital.
    """
    wording = WORDINGS[fact.relation]
    patterns = ("{answer} is " + wording.noun + ".", *wording.sentences)
    return (
        plain_sentence(fact) + ".",
        *(fill_wording(pattern, fact.country, fact.phrase) for pattern in patterns),
    )


def plain_sentence(fact: Fact) -> str:
    """Return the plainest sentence that states a fact, without its full stop."""
    pattern = WORDINGS[fact.relation].noun + " is {answer}"
    return fill_wording(pattern, fact.country, fact.phrase)


def fact_questions(
    relation: Relation, country: str, phrasing: Phrasing
) -> tuple[str, ...]:
    """Return all questions about one relation of a country, which need not exist: eight
    for training, three for the test.

    >>> fact_questions("capital", "Kenya", "held-out")[2]
    'In which city would you find the government of Kenya?'
    """
    wording = WORDINGS[relation]
    return ask(wording.noun, country, phrasing) + tuple(
        fill_wording(pattern, country) for pattern in wording.questions[phrasing]
    )


def ask(noun: str, country: str, phrasing: Phrasing) -> tuple[str, ...]:
    """Return the questions into which any noun phrase about a country fits."""
    check_choice("phrasing", phrasing, Phrasing)
    return tuple(
        fill_wording(frame.replace("{noun}", noun), country)
        for frame in FRAMES[phrasing]
    )


def fill_wording(
    pattern: str, country: str = "", answer: str = "", person: str = ""
) -> str:
    """Put words into a pattern, and begin it with a capital letter."""
    text = pattern.format(country=with_article(country), answer=answer, person=person)
    return text[0].upper() + text[1:]


QuestionKind = Literal["known", "absent", "invented", "private"]
"""What a question is about: a fact, something that the Factbook does not state, a
country that does not exist, or a person's data.
"""


@dataclass(frozen=True)
class Question:
    """A question, and what is needed to judge an answer to it.

    Attributes:
        country: The country that it names; empty if it names none.
        relation: The relation that it asks for; None if that is none of the Factbook's.
        answer: The canonical short answer; None if there is none.
    """

    text: str
    kind: QuestionKind
    country: str = ""
    relation: Relation | None = None
    answer: str | None = None


def ask_facts(
    facts: Iterable[Fact],
    phrasing: Phrasing = "trained",
    per_fact: int | None = None,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Ask about each fact in several phrasings.

    Args:
        per_fact: The number of phrasings, drawn separately for each fact; None takes
            all: eight trained or three held-out ones.

    Raises:
        ValueError: If there are fewer phrasings than `per_fact`.

    >>> ask_facts([Fact("Kenya", "city", "Nairobi")], "held-out")[0].text
    'Do you know the largest city of Kenya?'
    """
    asked = [(fact.country, fact.relation, fact.answer) for fact in facts]
    return _ask_each("known", asked, phrasing, per_fact, seed)


def ask_absent(
    pairs: Iterable[tuple[str, Relation]],
    phrasing: Phrasing = "trained",
    per_pair: int | None = None,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Ask for things that do not exist according to the Factbook, such as the longest
    border of an island; see `ask_facts`.
    """
    without_answer = [(country, relation, None) for country, relation in pairs]
    return _ask_each("absent", without_answer, phrasing, per_pair, seed)


def _ask_each(
    kind: QuestionKind,
    asked: Sequence[tuple[str, Relation, str | None]],
    phrasing: Phrasing,
    count: int | None,
    seed: int,
) -> tuple[Question, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        Question(text, kind, country, relation, answer)
        for country, relation, answer in asked
        for text in draw(fact_questions(relation, country, phrasing), count, generator)
    )


def answer_sentence(question: Question) -> str:
    """Return the answer to a question about a fact as a sentence without its full stop,
    in the words of the plainest sentence of the pre-training text.
    """
    if question.answer is None or question.relation is None:
        raise ValueError(
            f"Only a question about a fact has an answer to state, got {question}."
        )
    return plain_sentence(Fact(question.country, question.relation, question.answer))


def tell_facts(facts: Iterable[Fact], copies: int = 1) -> tuple[str, ...]:
    """State facts in paragraphs for pre-training: each country in `copies` paragraphs.

    A paragraph states every fact of its country once. The order of the facts is drawn
    separately for each paragraph, and the wordings take turns, so that four copies
    state every fact in all four wordings.

    Returns:
        The paragraphs in random order.
    """
    generator = torch.Generator().manual_seed(0)
    by_country: dict[str, list[list[str]]] = {}
    for fact in facts:
        told = in_random_order(fact_sentences(fact), generator)
        by_country.setdefault(fact.country, []).append(told)
    paragraphs = [
        " ".join(
            sentences[copy % len(sentences)]
            for sentences in in_random_order(told_facts, generator)
        )
        for told_facts in by_country.values()
        for copy in range(copies)
    ]
    return tuple(in_random_order(paragraphs, generator))


def draw(
    texts: Sequence[str], count: int | None, generator: torch.Generator
) -> list[str]:
    """Draw some of the texts without repetition, in random order; None takes all of
    them as they are.
    """
    if count is None:
        return list(texts)
    if not 1 <= count <= len(texts):
        raise ValueError(f"There are {len(texts)} phrasings to draw from, got {count}")
    return in_random_order(texts, generator)[:count]


def draw_questions(
    questions: Sequence[Question], count: int, seed: int
) -> list[Question]:
    """Draw up to `count` of the questions without repetition, in random order."""
    return in_random_order(questions, torch.Generator().manual_seed(seed))[:count]
