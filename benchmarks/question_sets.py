"""Four sets of questions on which different ways to search do best, prompts for
capitals, and a check of a passage.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.data import Articles, Fact, with_article
from genai_tutorial.retrieval import Passage, split_sentences
from genai_tutorial.tasks.assistant import (
    Question,
    fact_questions,
    invented_countries,
    normalize_answer,
)
from genai_tutorial.tasks.search_questions import CapitalPrompt, fact_library


@dataclass(frozen=True)
class SearchTask:
    """Questions about a library, with the passages that answer them.

    Attributes:
        name: The kind of question.
        right: For each question the numbers of the passages that answer it, from 0.
    """

    name: str
    passages: tuple[Passage, ...]
    questions: tuple[str, ...]
    right: tuple[frozenset[int], ...]

    @property
    def texts(self) -> list[str]:
        """The texts of the passages."""
        return [passage.text for passage in self.passages]


def natural_questions(facts: Sequence[Fact], count: int, seed: int = 0) -> SearchTask:
    """Ask for facts in other words than those of the library, in everyday questions.

    Args:
        seed: The same seed draws the same questions.

    Raises:
        ValueError: If there are fewer facts.

    >>> natural_questions([Fact("Kenya", "city", "Nairobi")], 1).questions
    ('Which place in Kenya has more inhabitants than any other?',)
    """
    drawn = _draw(len(facts), count, seed)
    # The last of the held-out phrasings has a wording of its own; the others repeat the
    # words of the sentence.
    asked = [
        fact_questions(facts[place].relation, facts[place].country, "held-out")[-1]
        for place in drawn
    ]
    return _task("natural", facts, asked, drawn)


def code_questions(facts: Sequence[Fact], count: int, seed: int = 0) -> SearchTask:
    """Ask for the country of an internet domain: what counts is a code of two letters.

    Raises:
        ValueError: If there are fewer domains than `count`.

    >>> code_questions([Fact("Kenya", "domain", ".ke")], 1).questions
    ('Which country do websites come from that end in .ke?',)
    """
    places = _places(facts, "domain")
    drawn = [places[place] for place in _draw(len(places), count, seed)]
    asked = [
        f"Which country do websites come from that end in {facts[place].answer}?"
        for place in drawn
    ]
    return _task("codes", facts, asked, drawn)


def reverse_questions(facts: Sequence[Fact], count: int, seed: int = 0) -> SearchTask:
    """Ask for the country of a capital: the question has a rare name in common with the
    passage.

    Raises:
        ValueError: If there are fewer capitals than `count`.

    >>> reverse_questions([Fact("Kenya", "capital", "Nairobi")], 1).questions
    ('Of which country is Nairobi the capital?',)
    """
    places = _places(facts, "capital")
    drawn = [places[place] for place in _draw(len(places), count, seed)]
    asked = [
        f"Of which country is {facts[place].answer} the capital?" for place in drawn
    ]
    return _task("reverse", facts, asked, drawn)


def inverse_cloze(
    articles: Articles, passages: int, count: int, seed: int = 0
) -> SearchTask:
    """Take a sentence out of a paragraph and ask which paragraph it is from.

    It needs no person to write questions, and words and meaning both matter.

    Args:
        articles: Articles whose paragraphs of four sentences or more are the library.
        passages: The number of paragraphs in the library.
        count: The number of paragraphs that a sentence is taken out of.
        seed: The same seed draws the same paragraphs and sentences.

    Raises:
        ValueError: If there are fewer paragraphs.

    Source: Lee, Chang and Toutanova, Latent Retrieval for Weakly Supervised Open Domain
        Question Answering, section 5, https://arxiv.org/abs/1906.00300
    """
    paragraphs = [
        (title, paragraph)
        for title, text in zip(articles.titles, articles.texts, strict=True)
        for paragraph in text.split("\n\n")
        if len(split_sentences(paragraph)) >= 4
    ]
    if not count <= passages <= len(paragraphs):
        raise ValueError(
            f"count may be at most passages, and passages at most {len(paragraphs)}; "
            f"got {count=} and {passages=}."
        )
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(paragraphs), generator=generator)[:passages].tolist()
    library, questions = [], []
    for number, place in enumerate(chosen):
        title, paragraph = paragraphs[place]
        if number < count:
            sentences = split_sentences(paragraph)
            # Not the first, which usually names the subject.
            taken = int(torch.randint(1, len(sentences), (), generator=generator))
            start, end = sentences[taken]
            questions.append(paragraph[start:end])
            paragraph = paragraph[:start].rstrip() + " " + paragraph[end:].lstrip()
        library.append(
            Passage(paragraph.strip(), f"Wikipedia, {title}", "CC BY-SA 3.0")
        )
    right = tuple(frozenset([number]) for number in range(count))
    return SearchTask("prose", tuple(library), tuple(questions), right)


def _task(
    name: str, facts: Sequence[Fact], asked: Sequence[str], places: Sequence[int]
) -> SearchTask:
    right = tuple(frozenset([place]) for place in places)
    return SearchTask(name, fact_library(facts), tuple(asked), right)


def _places(facts: Sequence[Fact], relation: str) -> list[int]:
    """Return the places of a relation's facts whose answer no other of them has."""
    answers = [fact.answer for fact in facts if fact.relation == relation]
    return [
        place
        for place, fact in enumerate(facts)
        if fact.relation == relation and answers.count(fact.answer) == 1
    ]


def _draw(n: int, count: int, seed: int) -> list[int]:
    if not 1 <= count <= n:
        raise ValueError(f"count must be from 1 to {n}, got {count}.")
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[
        :count
    ].tolist()


EXAMPLES = (("France", "Paris"), ("Japan", "Tokyo"))
"""The two sentences that show the form."""


def capital_prompts(
    facts: Sequence[Fact], real: int, invented: int, seed: int = 0
) -> tuple[CapitalPrompt, ...]:
    """Return prompts about real countries and then about invented ones.

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


def names_the_country(question: Question, passage: str) -> bool:
    """Return whether a passage names the country that a question names: a check that a
    similar sentence about another country does not pass.

    >>> asked = Question("Kenya's capital?", "known", "Kenya", "capital", "Nairobi")
    >>> names_the_country(asked, "The capital of Mali is Bamako.")
    False
    """
    padded = f" {normalize_answer(passage)} "
    return f" {normalize_answer(question.country)} " in padded
