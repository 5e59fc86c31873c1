"""Distillation: train a small student on the predictions of a large teacher instead of
on the text alone.
"""

from collections.abc import Collection
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from genai_tutorial.generation import generate
from genai_tutorial.transformer import DecoderLM

BATCH_SIZE = 128  # texts that the teacher writes at once


def soft_target_loss(
    student_logits: Float[Tensor, "*batch vocab"],
    teacher_logits: Float[Tensor, "*batch vocab"],
    temperature: float | int = 1.0,
) -> Float[Tensor, ""]:
    r"""Return the forward KL divergence of the student from the teacher's soft targets,
    in nats: the mean of $T^2 \, \mathrm{KL}(p_T \,\|\, q_T)$.

    Both are softened by the temperature T, which gives more weight to the teacher's
    differences between unlikely tokens. That shrinks the gradient by about T²; the
    factor makes up for it, so that one learning rate fits all temperatures.

    Raises:
        ValueError: If the temperature is not positive.

    Source: Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network,
        section 2, https://arxiv.org/abs/1503.02531

    >>> teacher, student = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    >>> soft_target_loss(student, teacher, temperature=2.0)
    tensor(0.4438)
    >>> soft_target_loss(teacher, teacher)
    tensor(0.)
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}.")
    teacher, student = (
        (logits / temperature).log_softmax(dim=-1).reshape(-1, logits.shape[-1])
        for logits in (teacher_logits.detach(), student_logits)
    )
    kl = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
    return temperature**2 * kl


class TopProbabilities(NamedTuple):
    """The most probable tokens of a teacher, small enough to keep for a whole corpus.

    Attributes:
        probabilities: Their probabilities; what is missing to one belongs to all other
            tokens.
    """

    ids: Int[Tensor, "*batch kept"]
    probabilities: Float[Tensor, "*batch kept"]


def top_probabilities(
    logits: Float[Tensor, "*batch vocab"], count: int = 32
) -> TopProbabilities:
    """Return the `count` most probable tokens of each distribution.

    Raises:
        ValueError: If `count` is not from 1 to the size of the vocabulary.

    >>> top_probabilities(torch.tensor([0.5, 0.3, 0.2]).log(), count=2)
    TopProbabilities(ids=tensor([0, 1]), probabilities=tensor([0.5000, 0.3000]))
    """
    if not 1 <= count <= logits.shape[-1]:
        raise ValueError(
            f"count must be from 1 to the {logits.shape[-1]} tokens, got {count}."
        )
    top = logits.softmax(dim=-1).topk(count, dim=-1)
    return TopProbabilities(top.indices, top.values)


def top_target_loss(
    student_logits: Float[Tensor, "*batch vocab"],
    ids: Int[Tensor, "*batch kept"],
    probabilities: Float[Tensor, "*batch kept"],
) -> Float[Tensor, ""]:
    """Return the cross-entropy of the student with a teacher's most probable tokens;
    all other tokens count as a single one.

    The gradient is the same as with `soft_target_loss`, except among those other
    tokens.

    Args:
        ids: The teacher's most probable tokens.

    >>> logits = torch.tensor([0.5, 0.3, 0.2]).log()
    >>> top = top_probabilities(logits, count=1)
    >>> top_target_loss(logits, top.ids, top.probabilities)  # the entropy of 0.5, 0.5
    tensor(0.6931)
    """
    log_q = student_logits.log_softmax(dim=-1).gather(-1, ids)
    rest_p = (1 - probabilities.sum(dim=-1)).clamp(min=0)
    rest_q = (1 - log_q.exp().sum(dim=-1)).clamp(min=1e-6)
    return -((probabilities * log_q).sum(dim=-1) + rest_p * rest_q.log()).mean()


@torch.no_grad()
def sequence_level_examples(
    teacher: DecoderLM,
    prompts: Int[Tensor, "row position"],
    max_new_tokens: int,
    *,
    stop_tokens: Collection[int],
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Return the prompts as the teacher continues them: texts for the student to train
    on, each cut before its first stop token.

    Kim and Rush take the teacher's most probable text, found by beam search. Samples
    suit a draft, because the texts that it has to continue are the teacher's samples.

    Args:
        max_new_tokens: Maximum number of tokens to add.
        generator: Random generator of the draws; None for torch's global one.

    Raises:
        ValueError: If `generate` refuses a number.

    Source: Kim and Rush, Sequence-Level Knowledge Distillation, section 3.2,
        https://arxiv.org/abs/1606.07947
    """
    start, texts = prompts.shape[1], []
    for rows in prompts.split(BATCH_SIZE):
        written = generate(
            teacher,
            rows,
            max_new_tokens,
            stop_tokens=stop_tokens,
            generator=generator,
        )
        for row in written.tolist():
            ends = [p for p in range(start, len(row)) if row[p] in stop_tokens]
            texts.append(row[: ends[0]] if ends else row)
    return texts
