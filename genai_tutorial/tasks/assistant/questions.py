"""Questions with their kind and their right answer, and the pre-training text that
states the facts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from genai_tutorial.data import Fact, Relation

from .wordings import Phrasing, fact_questions, fact_sentences, plain_sentence

Kind = Literal["known", "absent", "invented", "private"]
"""What a question is about: a fact, something that the Factbook does not state, a
country that does not exist, or a person's data.
"""


@dataclass(frozen=True)
class Question:
    """A question, and what is needed to judge an answer to it.

    Attributes:
        kind: The kind of question; see `Kind`.
        country: The country that it names; empty if it names none.
        relation: What it asks for; None where that is no relation of the Factbook's
            facts.
        answer: The canonical short answer; None where there is none.
    """

    text: str
    kind: Kind
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
        facts: What to ask about.
        phrasing: `"trained"` or `"held-out"`: no phrasing is in both.
        per_fact: The number of phrasings, drawn separately for each fact; None takes
            all, eight or three.
        seed: The same seed draws the same phrasings.

    Returns:
        The questions, fact by fact.

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

    Raises:
        ValueError: If `copies` is less than one.

    >>> kenya = [
    ...     Fact("Kenya", "capital", "Nairobi"),
    ...     Fact("Kenya", "domain", ".ke"),
    ... ]
    >>> tell_facts(kenya, copies=2, seed=3)[0]
    'Web addresses from Kenya end in .ke on the internet. The government of Kenya sits in Nairobi, its capital.'
    """  # noqa: E501
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
