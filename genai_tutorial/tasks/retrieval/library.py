"""The library: the Factbook's facts, one sentence each, with their source."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from genai_tutorial.data import Fact
from genai_tutorial.retrieval import Passage, SentenceVectors
from genai_tutorial.runtime import cached
from genai_tutorial.tasks.assistant import fact_sentences

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
