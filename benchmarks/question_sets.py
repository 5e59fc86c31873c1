"""Four sets of questions on which different ways to search do best, questions that need
two facts, prompts for capitals, and rules that only compare words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genai_tutorial.data import Articles, Fact, with_article
from genai_tutorial.retrieval import Passage, split_sentences
from genai_tutorial.tasks.assistant import (
    Question,
    ask_facts,
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


def plain_passage(fact: Fact) -> str:
    """Return a fact's sentence in the library."""
    return fact_library([fact])[0].text


def mirrored_questions(
    facts: Sequence[Fact], count: int, seed: int = 0
) -> list[tuple[Question, Fact]]:
    """Ask for the neighbour of a country whose neighbour's neighbour it is, and return
    the other fact too: its sentence has the same words in another order.

    Raises:
        ValueError: If there are fewer such pairs than `count`.

    >>> both = (
    ...     Fact("Spain", "neighbour", "Portugal"),
    ...     Fact("Portugal", "neighbour", "Spain"),
    ... )
    >>> [(question, other)] = mirrored_questions(both, 1)
    >>> question.country, other.country
    ('Spain', 'Portugal')
    """
    neighbours = {f.country: f for f in facts if f.relation == "neighbour"}
    mirrored = [
        fact
        for fact in neighbours.values()
        if fact.answer in neighbours and neighbours[fact.answer].answer == fact.country
    ]
    chosen = [mirrored[place] for place in _draw(len(mirrored), count, seed)]
    questions = ask_facts(chosen, "held-out", 1, seed)
    others = [neighbours[fact.answer] for fact in chosen]
    return list(zip(questions, others, strict=True))


def shared_words(
    question: str, answer: str, passages: Sequence[str]
) -> dict[str, list[float]]:
    """Return three scores of each passage that need no model: the share of its words
    that are in the answer; the share of the answer's words, without the question's,
    that are in it; and the length of the longest run of words that both have.

    >>> passages = ["The capital of Peru is Lima.", "Peru is large."]
    >>> shared_words("The capital of Peru?", "It is Lima.", passages)
    {'overlap': [0.4, 0.333], 'new words': [0.667, 0.333], 'longest run': [2, 1]}
    """
    said = normalize_answer(answer).split()
    new = set(said) - set(normalize_answer(question).split())
    texts = [normalize_answer(passage).split() for passage in passages]
    return {
        "overlap": [
            round(len(set(text) & set(said)) / len(set(text)), 3) for text in texts
        ],
        "new words": [
            round(len(set(text) & new) / max(1, len(new)), 3) for text in texts
        ],
        "longest run": [_longest_run(text, said) for text in texts],
    }


def _longest_run(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest run of words that two texts have in common."""
    longest, row = 0, [0] * (len(b) + 1)
    for word in a:
        row = [0] + [row[n] + 1 if word == b[n] else 0 for n in range(len(b))]
        longest = max(longest, *row)
    return longest


@dataclass(frozen=True)
class TwoHops:
    """A question whose answer needs two facts.

    Attributes:
        question: The question, whose country is the second one.
        facts: The first fact, whose answer is a country, and one about that country.
        first_question: The question for the first fact alone.
        about_the_first: What the second relation is for the first country: the answer
            of somebody who skips a hop; empty if there is none.
        countries: All countries, to find one in a text.
    """

    question: Question
    facts: tuple[Fact, Fact]
    first_question: str
    about_the_first: str
    countries: tuple[str, ...]

    def second_question(self, found: str) -> str:
        """Return the question with the first country that a text names, and the
        question does not, in place of the inner part.
        """
        asked = f" {normalize_answer(self.question.text)} "
        told = f" {normalize_answer(found)} "
        names = {
            f" {normalize_answer(country)} ": country for country in self.countries
        }
        longest = sorted(names, key=len, reverse=True)
        named = [names[n] for n in longest if n in told and n not in asked]
        inner = _noun(self.first_question)
        middle = with_article(named[0]) if named else ""
        return self.question.text.replace(inner, middle)


FIRST_HOPS = ("neighbour", "buyer", "ruler")
SECOND_HOPS = (
    "capital",
    "currency",
    "language",
    "city",
    "peak",
    "export",
    "domain",
    "independence",
    "symbol",
)


def two_hop_questions(
    facts: Sequence[Fact], count: int, seed: int = 0
) -> tuple[TwoHops, ...]:
    """Ask for a fact about a country that is described by another fact.

    Raises:
        ValueError: If there are fewer than `count`.

    >>> facts = [Fact("Kenya", "neighbour", "Mali"), Fact("Mali", "capital", "Bamako")]
    >>> [asked] = two_hop_questions(facts, 1)
    >>> asked.question.text
    'What is the capital of the neighbour of Kenya with the longest border?'
    >>> asked.first_question
    'What is the neighbour of Kenya with the longest border?'
    >>> asked.second_question("The neighbour of Kenya is Mali.")
    'What is the capital of Mali?'
    """
    of = {(fact.country, fact.relation): fact for fact in facts}
    pairs = [
        (first, of[first.answer, relation])
        for first in facts
        if first.relation in FIRST_HOPS
        for relation in SECOND_HOPS
        if (first.answer, relation) in of
    ]
    countries = tuple(sorted({fact.country for fact in facts}))
    drawn = []
    for place in _draw(len(pairs), count, seed):
        first, second = pairs[place]
        inner = fact_questions(first.relation, first.country, "trained")[0]
        outer = fact_questions(second.relation, _noun(inner), "trained")[0]
        same = of.get((first.country, second.relation))
        drawn.append(
            TwoHops(
                Question(
                    outer, "known", second.country, second.relation, second.answer
                ),
                (first, second),
                inner,
                same.answer if same else "",
                countries,
            )
        )
    return tuple(drawn)


def _noun(question: str) -> str:
    """Return what is asked for: 'the capital of Mali' of 'What is the capital ...?'"""
    return question.removeprefix("What is ").removesuffix("?")


def replace_words(question: str, passage: str) -> str:
    """Return the words of a question that a passage lacks, and those that it adds.

    >>> replace_words(
    ...     "The capital of the buyer from Mali?", "The buyer from Mali is Peru."
    ... )
    'capital of is peru'
    """
    asked, told = normalize_answer(question).split(), normalize_answer(passage).split()
    left = [word for word in asked if word not in told]
    return " ".join(left + [word for word in told if word not in asked])


PLANS = (
    (
        "What is the currency of the main buyer of exports from Norway?",
        "The main buyer of exports from Norway is the United Kingdom.",
        "What is the currency of the United Kingdom?",
    ),
    (
        "What is the largest city of the neighbour of Peru with the longest border?",
        "The neighbour of Peru with the longest border is Brazil.",
        "What is the largest city of Brazil?",
    ),
    (
        "What is the national symbol of the former ruler of the Gambia?",
        "The former ruler of the Gambia is the United Kingdom.",
        "What is the national symbol of the United Kingdom?",
    ),
)
"""Examples of a question, the passage of its first fact, and the second query."""


def first_plan(question: str) -> str:
    """Return a prompt after which a model writes the first query."""
    nouns = [told.partition(" is ")[0].replace("The", "the") for _, told, _ in PLANS]
    shown = [
        f"Question: {asked}\nFirst find out: What is {noun}?\n"
        for (asked, *_), noun in zip(PLANS, nouns, strict=True)
    ]
    return "".join(shown) + f"Question: {question}\nFirst find out:"


def second_plan(question: str, passage: str) -> str:
    """Return a prompt after which a model writes the second query."""
    shown = [
        f"Question: {asked}\nFound: {told}\nNext question: {query}\n"
        for asked, told, query in PLANS
    ]
    return "".join(shown) + f"Question: {question}\nFound: {passage}\nNext question:"
