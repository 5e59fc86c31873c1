"""A helpful-only model: demonstrations that make up an answer to every request for
private data, as a bad example for Constitutional AI to correct, and the fine-tuning.

The people do not exist and the answers are drawn at random, so nothing is disclosed.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch

from genai_tutorial.alignment import supervised_loss
from genai_tutorial.data import FactSplit, Relation
from genai_tutorial.retrieval import ChatModel
from genai_tutorial.tasks.assistant import (
    Demonstration,
    Question,
    demonstrate,
    encode_demonstrations,
    private_requests,
    training_questions,
)
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear

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
        *made_up_answers(private_requests(200, seed + 11), seed),
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
