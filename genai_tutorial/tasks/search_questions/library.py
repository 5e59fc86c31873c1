"""A library of facts, one sentence each with its source; questions that it answers or
does not; prompts for capitals; and poisoned passages, false sentences in the same form.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import Fact, with_article
from genai_tutorial.retrieval import Passage, SentenceVectors
from genai_tutorial.runtime import cached
from genai_tutorial.tasks.assistant import (
    Question,
    ask_facts,
    ask_invented,
    ask_untold,
    fact_sentences,
    invented_countries,
    normalize_answer,
)

LICENCE = "public domain"


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


def fact_library(facts: Iterable[Fact]) -> tuple[Passage, ...]:
    """Return one passage for each fact, in the plainest words.

    >>> fact_library([Fact("Kenya", "domain", ".ke")])[0]
    Passage(text='The internet domain of Kenya is .ke.', source='The World Factbook, Kenya', licence='public domain')
    """  # noqa: E501
    return tuple(
        Passage(fact_sentences(fact)[0], f"The World Factbook, {fact.country}", LICENCE)
        for fact in facts
    )


def cached_vectors(
    encoder: SentenceVectors, texts: Sequence[str]
) -> Float[Tensor, "text width"]:
    """Return the vectors of a library, which are encoded the first time and read from
    the cache after that.
    """
    contents = "\0".join(texts).encode()
    weights = encoder.encoder.token_embedding.weight[-1].detach().numpy().tobytes()
    arrays = cached(
        "passages",
        lambda: {"vectors": encoder.encode(texts, show_progress=True).numpy()},
        version=hashlib.sha256(contents + weights).hexdigest(),
    )
    return torch.from_numpy(arrays["vectors"])


@dataclass(frozen=True)
class AbstentionExam:
    """Questions for a search that should know when it has found nothing.

    Attributes:
        known: Questions about facts of the library, in held-out phrasings.
        invented: Questions in the same phrasings about countries that do not exist.
        untold: Questions about real countries for what the library does not tell.
    """

    known: tuple[Question, ...]
    invented: tuple[Question, ...]
    untold: tuple[Question, ...]


def abstention_exam(facts: Sequence[Fact], count: int, seed: int = 0) -> AbstentionExam:
    """Draw `count` questions of each kind.

    Raises:
        ValueError: If there are fewer facts, or `count` is below 1.
    """
    if not 1 <= count <= len(facts):
        raise ValueError(f"count must be from 1 to {len(facts)}, got {count}.")
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(facts), generator=generator)[:count].tolist()
    countries = sorted({fact.country for fact in facts})
    order = torch.randperm(len(countries), generator=generator).tolist()
    drawn = [countries[order[place % len(order)]] for place in range(count)]
    return AbstentionExam(
        ask_facts([facts[place] for place in chosen], "held-out", 1, seed),
        ask_invented(invented_countries(count, seed), "held-out", 1, seed),
        ask_untold(drawn, "held-out", 1, seed),
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


EXAMPLES = (("France", "Paris"), ("Japan", "Tokyo"))
"""The two sentences that show the form."""


@dataclass(frozen=True)
class CapitalPrompt:
    """A text that ends where a capital should come.

    Attributes:
        capital: Its capital; None for an invented country.
    """

    text: str
    country: str
    capital: str | None

    def is_right(self, answer: str) -> bool:
        """Return whether an answer is the capital; for an invented country nothing
        is.
        """
        return self.capital is not None and (
            normalize_answer(first_name(answer)) == normalize_answer(self.capital)
        )


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


def first_name(answer: str) -> str:
    """Return an answer up to the end of its sentence or line.

    >>> first_name(" Nairobi. The capital of"), first_name(" St. Louis\\n")
    ('Nairobi', 'St. Louis')
    """
    line = answer.strip().partition("\n")[0]
    end = line.find(". ", 4)
    return (line if end < 0 else line[:end]).removesuffix(".").strip(" ,")


@dataclass(frozen=True)
class Poisoning:
    """A question with true passages and a false one.

    Attributes:
        false_answer: The answer that the false passage gives: the right one for another
            country.
        true: Passages that state the fact in different words, each from a source of its
            own.
    """

    question: Question
    false_answer: str
    true: tuple[Passage, ...]
    false: Passage

    @property
    def false_question(self) -> Question:
        """The same question with the false answer as the right one, for a judge."""
        return replace(self.question, answer=self.false_answer)


def poison(facts: Sequence[Fact], count: int, seed: int = 0) -> tuple[Poisoning, ...]:
    """Draw facts and falsify each with the answer of another country.

    Raises:
        ValueError: If `count` is below 1 or there are fewer facts.
    """
    if not 1 <= count <= len(facts):
        raise ValueError(f"count must be from 1 to {len(facts)}, got {count}.")
    generator = torch.Generator().manual_seed(seed)
    poisoned: list[Poisoning] = []
    for place in torch.randperm(len(facts), generator=generator).tolist():
        fact = facts[place]
        others = sorted(
            {
                other.answer
                for other in facts
                if other.relation == fact.relation
                and other.answer not in (fact.answer, fact.country)
            }
        )
        if not others:
            continue
        chosen = int(torch.randint(len(others), (), generator=generator))
        false = replace(fact, answer=others[chosen])
        (question,) = ask_facts([fact], "held-out", 1, seed=place)
        sources = ("The World Factbook", "An almanac", "A school atlas", "A newspaper")
        poisoned.append(
            Poisoning(
                question,
                false.answer,
                tuple(
                    Passage(sentence, source, LICENCE)
                    for sentence, source in zip(
                        fact_sentences(fact), sources, strict=False
                    )
                ),
                Passage(fact_sentences(false)[0], "An anonymous page"),
            )
        )
        if len(poisoned) == count:
            break
    return tuple(poisoned)
