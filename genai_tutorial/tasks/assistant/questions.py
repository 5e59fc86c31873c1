"""The words for facts, questions about them with their right answers, and pre-training
text that states them. Some words are kept for the test.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch

from genai_tutorial.data import Fact, Relation, with_article
from genai_tutorial.tasks import read_words

Phrasing = Literal["trained", "held-out"]

FRAMES = (
    "What is {noun}?",
    "Name {noun}.",
    "Tell me {noun}.",
    "{noun}?",
    "Please tell me: what is {noun}?",
    "I would like to know {noun}.",
)
"""Ways to ask for anything that has a noun phrase."""

HELD_OUT_FRAMES = ("Do you know {noun}?", "Can you remind me what {noun} is?")
"""Ways to ask about any relation that no question in training uses."""


class Wording(NamedTuple):
    """The words for one relation, with `{country}` and `{answer}` where these go."""

    noun: str
    sentences: tuple[str, ...]
    questions: tuple[str, ...]
    held_out: tuple[str, ...]


WORDINGS: dict[str, Wording] = {
    relation: Wording(noun, tuple(words[:2]), tuple(words[2:4]), tuple(words[4:]))
    for relation, noun, *words in read_words("assistant", "wordings")
}
"""The words for every relation."""


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

    >>> fact_questions("capital", "Kenya", "held-out")[1:]
    ('Can you remind me what the capital of Kenya is?', 'In which city would you find the government of Kenya?')
    """  # noqa: E501
    return ask(WORDINGS[relation].noun, country, phrasing) + tuple(
        fill_wording(pattern, country)
        for pattern in (
            WORDINGS[relation].questions
            if phrasing == "trained"
            else WORDINGS[relation].held_out
        )
    )


def ask(noun: str, country: str, phrasing: Phrasing) -> tuple[str, ...]:
    """Return the questions into which any noun phrase about a country fits."""
    check_phrasing(phrasing)
    frames = FRAMES if phrasing == "trained" else HELD_OUT_FRAMES
    return tuple(
        fill_wording(frame.replace("{noun}", noun), country) for frame in frames
    )


def check_phrasing(phrasing: str) -> None:
    """Raise a ValueError if a phrasing is neither `"trained"` nor `"held-out"`."""
    if phrasing not in get_args(Phrasing):
        raise ValueError(
            f"It must be one of {', '.join(map(repr, get_args(Phrasing)))}, got "
            f"{phrasing!r}"
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
        relation: What it asks for; None where that is no relation of the Factbook's
            facts.
        answer: The canonical short answer; None where there is none.
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
        phrasing: `"trained"` or `"held-out"`: no phrasing is in both.
        per_fact: The number of phrasings, drawn separately for each fact; None takes
            all, eight or three.

    Raises:
        ValueError: If there are fewer phrasings than `per_fact`.

    >>> for question in ask_facts([Fact("Kenya", "city", "Nairobi")], "held-out"):
    ...     print(question.text, question.answer)
    Do you know the largest city of Kenya? Nairobi
    Can you remind me what the largest city of Kenya is? Nairobi
    Which place in Kenya has more inhabitants than any other? Nairobi
    """
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        Question(text, "known", fact.country, fact.relation, fact.answer)
        for fact in facts
        for text in draw(
            fact_questions(fact.relation, fact.country, phrasing), per_fact, generator
        )
    )


def ask_absent(
    pairs: Iterable[tuple[str, Relation]],
    phrasing: Phrasing = "trained",
    per_pair: int | None = None,
    seed: int = 0,
) -> tuple[Question, ...]:
    """Ask for things that do not exist according to the Factbook, such as the longest
    border of an island; see `ask_facts`.
    """
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        Question(text, "absent", country, relation)
        for country, relation in pairs
        for text in draw(
            fact_questions(relation, country, phrasing), per_pair, generator
        )
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


def tell_facts(
    facts: Iterable[Fact], copies: int = 1, seed: int = 0
) -> tuple[str, ...]:
    """State facts in paragraphs for pre-training: each country in `copies` paragraphs.

    A paragraph states every fact of its country once. The order of the facts is drawn
    separately for each paragraph, and the wordings take turns, so that four copies
    state every fact in all four wordings.

    Returns:
        The paragraphs in random order.
    """
    if copies < 1:
        raise ValueError(f"copies must be at least 1, got {copies}")
    generator = torch.Generator().manual_seed(seed)
    by_country: dict[str, list[tuple[str, ...]]] = {}
    for fact in facts:
        told = fact_sentences(fact)
        turned = torch.randperm(len(told), generator=generator).tolist()
        by_country.setdefault(fact.country, []).append(
            tuple(told[index] for index in turned)
        )
    paragraphs = []
    for told_facts in by_country.values():
        for copy in range(copies):
            order = torch.randperm(len(told_facts), generator=generator).tolist()
            paragraphs.append(
                " ".join(
                    told_facts[index][copy % len(told_facts[index])] for index in order
                )
            )
    return tuple(
        paragraphs[index]
        for index in torch.randperm(len(paragraphs), generator=generator).tolist()
    )


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
    return [
        texts[index]
        for index in torch.randperm(len(texts), generator=generator)[:count].tolist()
    ]


def draw_questions(
    questions: Sequence[Question], count: int, seed: int
) -> list[Question]:
    """Draw `count` of the questions without repetition, in random order; all of them
    where there are fewer.
    """
    order = torch.randperm(
        len(questions), generator=torch.Generator().manual_seed(seed)
    )
    return [questions[index] for index in order[:count].tolist()]
