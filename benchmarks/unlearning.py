"""Unlearning: three losses that make a model forget some examples, and the test whether
it has: train it on a part of them again, and see how fast the rest returns.
"""

import copy
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from genai_tutorial.alignment import Rows, answer_log_probs, supervised_loss
from genai_tutorial.training import AdamW, TensorBatches, fit
from genai_tutorial.transformer import DecoderLM

Batch = tuple[Tensor, Tensor]
"""Tokens, and which of them belong to an answer; one example per row."""

UnlearningLoss = Callable[[DecoderLM, DecoderLM, Batch, Batch], Float[Tensor, ""]]
"""A function of the model, the model before, and a batch each of the examples to forget
and to keep.
"""


def gradient_ascent_loss(
    model: DecoderLM, reference: DecoderLM, forget: Batch, retain: Batch
) -> Float[Tensor, ""]:
    """Return minus the loss on the examples to forget. It has no lower bound, so
    nothing tells training when to stop; the examples to keep are ignored.

    Args:
        reference: The model before; not used.
        retain: Examples to keep; not used.

    Source: Jang et al., Knowledge Unlearning for Mitigating Privacy Risks in Language
        Models, equation 1, https://arxiv.org/abs/2210.01504
    """
    return -supervised_loss(model, *forget)


def gradient_difference_loss(
    model: DecoderLM, reference: DecoderLM, forget: Batch, retain: Batch
) -> Float[Tensor, ""]:
    """Return the loss on the examples to keep minus that on the examples to forget.

    Args:
        reference: The model before; not used.
        retain: Examples to keep.

    Source: Maini et al., TOFU: A Task of Fictitious Unlearning for LLMs, section 3,
    https://arxiv.org/abs/2401.06121
    """
    return supervised_loss(model, *retain) - supervised_loss(model, *forget)


def npo_loss(
    model: DecoderLM,
    reference: DecoderLM,
    forget: Batch,
    retain: Batch,
    beta: float | int = 0.1,
) -> Float[Tensor, ""]:
    """Return the loss of negative preference optimization, plus the loss on the
    examples to keep.

    It is the loss of DPO with a rejected answer and no chosen one: 2/beta times the
    mean of ln(1 + (p / p_reference)^beta). Its gradient is that of gradient ascent,
    weighted by how much of an answer is left, so that it fades once the answer is gone.

    Args:
        reference: The model before.
        retain: Examples to keep.
        beta: The inverse temperature; gradient ascent is the limit of 0.

    Source: Zhang et al., Negative Preference Optimization, section 3,
    https://arxiv.org/abs/2404.05868
    """
    with torch.no_grad():
        before = answer_log_probs(reference, *forget)
    ratio = answer_log_probs(model, *forget) - before
    loss = 2 / beta * functional.softplus(beta * ratio).mean()
    return loss + supervised_loss(model, *retain)


def unlearn(
    model: DecoderLM,
    loss_fn: UnlearningLoss,
    forget: Rows,
    retain: Rows,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> DecoderLM:
    """Return a copy of a model that was trained to forget; the model stays as it is.

    Args:
        model: The model that knows the examples.
        loss_fn: One of the losses above.
        forget: The examples to forget, from `pad_examples`, as for the next one.
        retain: The examples to keep.
        batch_size: The number of examples of each kind in a step.

    Raises:
        ValueError: If a number is out of range.
    """
    reference = copy.deepcopy(model).eval().requires_grad_(False)
    kept = TensorBatches(_pairs(retain), batch_size, seed + 1)

    def loss(model: DecoderLM, *batch: Tensor) -> Tensor:
        return loss_fn(model, reference, batch, next(kept))

    return _trained_copy(model, forget, loss, steps, batch_size, learning_rate, seed)


def relearn(
    model: DecoderLM,
    rows: Rows,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> DecoderLM:
    """Return a copy of a model after a few steps of supervised fine-tuning on some of
    the forgotten examples. If examples that are *not* among them return too, they were
    hidden and not gone.

    Args:
        model: The model that has forgotten.
        rows: Some of the examples, from `pad_examples`.
        batch_size: The number of examples in a step.

    Raises:
        ValueError: If a number is out of range.

    Source: Lynch et al., Eight Methods to Evaluate Robust Unlearning in LLMs,
        https://arxiv.org/abs/2402.16835
    """
    return _trained_copy(
        model, rows, supervised_loss, steps, batch_size, learning_rate, seed
    )


def _trained_copy(
    model: DecoderLM,
    rows: Rows,
    loss: Callable[..., Tensor],
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> DecoderLM:
    trained = copy.deepcopy(model)
    fit(
        trained,
        TensorBatches(_pairs(rows), min(batch_size, len(rows.ids)), seed),
        loss,
        AdamW(trained.parameters(), lr=learning_rate),
        steps=steps,
        progress=False,
    )
    return trained.eval()


def _pairs(rows: Rows) -> Batch:
    return rows.ids, rows.is_answer
