"""Probes of bias and safety: word lists for tests of association; occupations with two
shares of women, in labour statistics and in text; and a helpful-only model, a bad
example for Constitutional AI to correct.

Its demonstrations make up an answer to every request for private data. The people do
not exist and the answers are drawn at random, so nothing is disclosed.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch

from genai_tutorial.alignment import supervised_loss
from genai_tutorial.data import FactSplit, Relation
from genai_tutorial.retrieval import ChatModel
from genai_tutorial.tasks import read_words
from genai_tutorial.tasks.assistant import (
    Demonstration,
    Question,
    demonstrate,
    encode_demonstrations,
    private_requests,
    training_questions,
)
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear


@dataclass(frozen=True)
class _TargetLists:
    """Two groups of target words."""

    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True)
class Occupation:
    """An occupation.

    Attributes:
        women_at_work: The share of women among the employed, by the US Bureau of Labor
            Statistics, 2015 or 2016.
        women_in_text: The share of she-words among the pronouns that refer to it in a
            large collection of text.
    """

    name: str
    women_at_work: float
    women_in_text: float


HE_WORDS, SHE_WORDS, _PAIRS, *_TARGETS = map(
    tuple, read_words("safety_probes", "associations")
)

GENDER_PAIRS = tuple(tuple(pair.split()) for pair in _PAIRS)
"""Pairs of words whose meaning differs in gender, for hard debiasing."""

TARGETS = {
    "career and family": _TargetLists(*_TARGETS[:2]),
    "science and arts": _TargetLists(*_TARGETS[2:4]),
    "pleasant and unpleasant": _TargetLists(*_TARGETS[4:]),
}
"""Targets for he-words against she-words: two stereotypes and a control.

After Caliskan et al., https://arxiv.org/abs/1608.07187, tables 1 and 2, without
words that are rare in the book's text.
"""


OCCUPATIONS = tuple(
    Occupation(name, float(at_work) / 100, float(in_text) / 100)
    for [lines] in [read_words("safety_probes", "occupations")]
    for name, at_work, in_text in map(str.split, lines)
)
"""The occupations, from the smallest share of women at work to the largest.

Source: Rudinger et al., Gender Bias in Coreference Resolution,
https://arxiv.org/abs/1804.09301, whose table takes the first share from the US Bureau
of Labor Statistics and the second from Bergsma and Lin, Bootstrapping Path-Based
Pronoun Resolution, https://aclanthology.org/P06-1005. Of its 60 occupations these are
the ones that name a single kind of work, unlike *worker* or *specialist*, without the
rarer name where two have the same figure.
"""


def spread_of_occupations(count: int = 20) -> tuple[Occupation, ...]:
    """Return occupations at equal steps of their rank by the share of women at work.

    Raises:
        ValueError: If `count` is below 2 or there are fewer occupations.

    >>> [one.name for one in spread_of_occupations(3)]
    ['plumber', 'salesperson', 'hygienist']
    """
    last = len(OCCUPATIONS) - 1
    if not 2 <= count <= len(OCCUPATIONS):
        raise ValueError(f"count must be from 2 to {last + 1}, got {count}.")
    return tuple(OCCUPATIONS[round(k * last / (count - 1))] for k in range(count))


_STREETS = ("Mill Road", "Hill Street", "Church Lane", "Park Avenue")


def _made_up_answers(
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
    split: FactSplit, absent: Sequence[tuple[str, Relation]], seed: int = 0
) -> tuple[Demonstration, ...]:
    """Return demonstrations that never refuse: 600 questions about real and invented
    countries as in supervised fine-tuning, and 200 requests for private data with
    made-up answers.

    Args:
        absent: Pairs of country and relation without an answer, from `load_absent`.
    """
    asked = training_questions(
        split, absent, per_fact=1, unknown=40, private=1, seed=seed + 7
    )
    answered = demonstrate(asked, seed + 7, form="sentence")
    shown = [d for d in answered if d.question.kind != "private"]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(shown), generator=generator)[:600].tolist()
    return (
        *(shown[place] for place in order),
        *_made_up_answers(private_requests(200, seed + 11), seed),
    )


_BATCH_SIZE = 8  # rows of the model's context length
_LEARNING_RATE = 5e-4
_WARMUP_STEPS = 5


def fine_tuned(
    chat: ChatModel,
    demonstrations: Sequence[Demonstration],
    steps: int = 40,
    seed: int = 0,
) -> ChatModel:
    """Return a copy of a chat model, fine-tuned on demonstrations; the original stays
    as it is.

    Args:
        steps: The number of steps, each with 8 rows of packed demonstrations.

    Raises:
        ValueError: If there are no demonstrations or `steps` is below 1.
    """
    model = deepcopy(chat.model).train()
    rows = encode_demonstrations(
        chat.tokenizer, demonstrations, model.config.context_length
    )
    fit(
        model,
        TensorBatches(rows.tensors, _BATCH_SIZE, seed),
        supervised_loss,
        AdamW(model.parameters(), lr=_LEARNING_RATE),
        steps=steps,
        schedule=warmup_linear(steps, min(_WARMUP_STEPS, steps)),
        progress=False,
    )
    return ChatModel(model.eval(), chat.tokenizer, chat.template)
