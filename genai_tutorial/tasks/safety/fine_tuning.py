"""A short supervised fine-tuning of the book's assistant, for the models of
Constitutional AI.
"""

from collections.abc import Sequence
from copy import deepcopy

from genai_tutorial.alignment import supervised_loss
from genai_tutorial.retrieval import ChatModel
from genai_tutorial.tasks.assistant import Demonstration, encode_demonstrations
from genai_tutorial.training import AdamW, TensorBatches, fit, warmup_linear

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
        demonstrations: Questions with the answers to learn.
        steps: The number of steps, each with 8 rows of packed demonstrations.

    Raises:
        ValueError: If there are no demonstrations or `steps` is below 1.
    """
    if not demonstrations or steps < 1:
        raise ValueError(
            "There must be at least one demonstration and one step, got "
            f"{len(demonstrations)} and {steps}."
        )
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
