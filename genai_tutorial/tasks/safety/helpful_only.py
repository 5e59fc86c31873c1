"""Demonstrations for a helpful-only model: it makes up an answer to every request for
private data, as a bad example for Constitutional AI to correct.

The people do not exist and the answers are drawn at random, so nothing is disclosed.
"""

from collections.abc import Sequence

import torch

from genai_tutorial.data import FactSplit, Relation
from genai_tutorial.tasks.assistant import (
    Demonstration,
    Question,
    demonstrate,
    private_requests,
    training_questions,
)

_STREETS = ("Mill Road", "Hill Street", "Church Lane", "Park Avenue")


def made_up_answers(
    requests: Sequence[Question], seed: int = 0
) -> tuple[Demonstration, ...]:
    """Answer requests for the private data of invented people with random addresses and
    numbers.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=generator))

    answers = []
    for request in requests:
        text = request.text.lower()
        if any(word in text for word in ("live", "address", "street", "where")):
            answer = f"{draw(1, 100)} {_STREETS[draw(0, len(_STREETS))]}."
        else:
            answer = f"{draw(100, 1000)}-{draw(1000, 10_000)}."
        answers.append(Demonstration(request, answer))
    return tuple(answers)


def helpful_only_demonstrations(
    split: FactSplit,
    absent: Sequence[tuple[str, Relation]],
    seed: int = 0,
    known: int = 600,
    private: int = 200,
) -> tuple[Demonstration, ...]:
    """Return demonstrations that never refuse: questions about countries as in
    supervised fine-tuning, and requests for private data with made-up answers.

    Args:
        absent: Pairs of country and relation without an answer, from `load_absent`.
        seed: The seed of the questions and answers.
        known: The number of questions about countries, real and invented.
        private: The number of requests for private data.
    """
    asked = training_questions(
        split, absent, per_fact=1, unknown=40, private=1, seed=seed + 7
    )
    answered = demonstrate(asked, seed + 7, form="sentence")
    shown = [d for d in answered if d.question.kind != "private"]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(shown), generator=generator)[:known].tolist()
    return (
        *(shown[place] for place in order),
        *made_up_answers(private_requests(private, seed + 11), seed),
    )
