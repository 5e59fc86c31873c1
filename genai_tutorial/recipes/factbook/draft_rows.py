"""What the draft's recipe trains on and is measured by: packed rows, the teacher's most
probable tokens, and the agreement of two models.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genai_tutorial.corpus import cut_rows, document_numbers, join_documents
from genai_tutorial.efficiency import (
    TopProbabilities,
    top_probabilities,
    top_target_loss,
)
from genai_tutorial.generation import acceptance_rate
from genai_tutorial.tasks.assistant import END_OF_TEXT
from genai_tutorial.tokenization import BPETokenizer
from genai_tutorial.transformer import AttentionContext, DecoderLM

from .corpus import Corpus


def corpus_rows(
    corpus: Corpus, tokenizer: BPETokenizer, length: int
) -> Int[Tensor, "row position"]:
    """Return the base model's corpus in packed rows of `length` inputs and one more."""
    texts = [text for documents in corpus.sources.values() for text in documents]
    return _rows(texts, tokenizer, length)


def held_out_rows(
    corpus: Corpus, tokenizer: BPETokenizer, length: int
) -> Int[Tensor, "row position"]:
    """Return the held-out articles in packed rows of `length` inputs and one more."""
    return _rows(corpus.held_out, tokenizer, length)


def prompts_of(
    rows: Int[Tensor, "row position"], length: int, end_of_document: int
) -> Int[Tensor, "prompt beginning"]:
    """Return the beginnings of rows, except of those where a document ends in it."""
    prompts = rows[:, :length]
    return prompts[~(prompts == end_of_document).any(dim=1)]


@torch.no_grad()
def teacher_targets(
    teacher: DecoderLM,
    inputs: Int[Tensor, "row position"],
    end_of_document: int,
    kept: int,
    batch_size: int = 32,
) -> TopProbabilities:
    """Return a teacher's most probable next tokens at every position of packed rows, in
    16 bits.

    One pass of the teacher over the corpus is all that distillation needs of it.
    """
    tops = [
        top_probabilities(packed_logits(teacher, rows, end_of_document), kept)
        for rows in inputs.split(batch_size)
    ]
    return TopProbabilities(
        torch.cat([top.ids.to(torch.int16).cpu() for top in tops]),
        torch.cat([top.probabilities.half().cpu() for top in tops]),
    )


def packed_logits(
    model: nn.Module, inputs: Int[Tensor, "batch position"], end_of_document: int
) -> Float[Tensor, "batch position vocab"]:
    """Return a model's logits on packed rows, in which documents do not attend to each
    other.
    """
    documents = document_numbers(inputs, end_of_document)
    return model(inputs, AttentionContext.packed(documents))


def distillation_loss(end_of_document: int):
    """Return the loss function of a student on packed rows with a teacher's targets,
    for `fit`.
    """

    def loss(
        model: nn.Module,
        inputs: Int[Tensor, "batch position"],
        ids: Int[Tensor, "batch position kept"],
        probabilities: Float[Tensor, "batch position kept"],
    ) -> Float[Tensor, ""]:
        logits = packed_logits(model, inputs, end_of_document)
        return top_target_loss(logits, ids.long(), probabilities.to(logits.dtype))

    return loss


@torch.no_grad()
def agreement(
    draft: DecoderLM,
    target: DecoderLM,
    texts: Iterable[Sequence[int]],
    start: int = 0,
) -> list[tuple[Tensor, Tensor]]:
    """Return for each text, at every position, the probability that a drafted token is
    accepted at temperature 1, and whether both models find the same token most
    probable.

    Args:
        start: The number of predictions at the beginning of a text that are left out.
    """
    measured = []
    for text in texts:
        ids = torch.tensor([list(text)[:-1]])
        q, p = (model(ids)[0, start:].softmax(dim=-1) for model in (draft, target))
        same = p.argmax(dim=-1) == q.argmax(dim=-1)
        measured.append((acceptance_rate(p, q), same.float()))
    return measured


def _rows(
    texts: Iterable[str], tokenizer: BPETokenizer, length: int
) -> Int[Tensor, "row position"]:
    end = tokenizer.special_tokens[END_OF_TEXT]
    tokens = join_documents(map(tokenizer.encode, texts), end)
    return cut_rows(torch.from_numpy(tokens), length)[0]
