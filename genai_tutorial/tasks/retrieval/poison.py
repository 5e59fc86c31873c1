"""Poisoned passages: false sentences in the same form as the true ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from genai_tutorial.data import Fact
from genai_tutorial.retrieval import Passage
from genai_tutorial.tasks.assistant import Question, ask_facts, fact_sentences

from .library import LICENCE


@dataclass(frozen=True)
class Poisoning:
    """A question with true passages and a false one.

    Attributes:
        question: The question, with the true answer.
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

    Args:
        count: The number of facts to draw.
        seed: The same seed draws the same facts and false answers.

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
