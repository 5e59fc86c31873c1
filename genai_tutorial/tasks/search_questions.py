"""A library of facts, one sentence each with its source; questions that it answers or
does not; prompts for capitals; and poisoned passages, false sentences in the same form.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import Fact
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

_LICENCE = "public domain"


def fact_library(facts: Iterable[Fact]) -> tuple[Passage, ...]:
    """Return one passage for each fact, in the plainest words.

    >>> fact_library([Fact("Kenya", "domain", ".ke")])[0]
    Passage(text='The internet domain of Kenya is .ke.', source='The World Factbook, Kenya', licence='public domain')
    """  # noqa: E501
    return tuple(
        Passage(
            fact_sentences(fact)[0], f"The World Factbook, {fact.country}", _LICENCE
        )
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
        false_question: The same question with the false answer as the right one, for a
            judge; it is right for another country.
        true: Passages that state the fact in different words, each from its own
            source.
    """

    question: Question
    false_question: Question
    true: tuple[Passage, ...]
    false: Passage


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
        answers = {each.answer for each in facts if each.relation == fact.relation}
        others = sorted(answers - {fact.answer, fact.country})
        if not others:
            continue
        chosen = int(torch.randint(len(others), (), generator=generator))
        false = replace(fact, answer=others[chosen])
        (question,) = ask_facts([fact], "held-out", 1, seed=place)
        sources = ("The World Factbook", "An almanac", "A school atlas", "A newspaper")
        told = zip(fact_sentences(fact), sources, strict=False)
        poisoned.append(
            Poisoning(
                question,
                replace(question, answer=false.answer),
                tuple(Passage(sentence, source, _LICENCE) for sentence, source in told),
                Passage(fact_sentences(false)[0], "An anonymous page"),
            )
        )
        if len(poisoned) == count:
            break
    return tuple(poisoned)
