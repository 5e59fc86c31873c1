"""Packing: documents of any length in rows of equal length, without padding.

The documents are concatenated, each followed by the end-of-document token, and the
result is cut into rows. The document boundaries follow from the tokens, so they need
not be stored.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor


def join_documents(
    documents: Iterable[Sequence[int]], end_of_document: int
) -> np.ndarray:
    """Concatenate documents, each followed by the end-of-document token.

    Raises:
        ValueError: If a document contains the end-of-document token.

    >>> join_documents([[5, 6, 7], [8]], end_of_document=0)
    array([5, 6, 7, 0, 8, 0])
    """
    parts: list[np.ndarray] = []
    for place, document in enumerate(documents):
        tokens = np.asarray(document, dtype=np.int64)
        if (tokens == end_of_document).any():
            raise ValueError(
                f"Document {place} has the end-of-document token {end_of_document} "
                "inside its text."
            )
        parts += [tokens, np.array([end_of_document])]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def cut_rows(
    tokens: Int[Tensor, " length"], row_length: int
) -> tuple[Int[Tensor, "row position"], Int[Tensor, " rest"]]:
    """Cut a token sequence into rows of `row_length` inputs and the following token,
    which is also the first of the next row.

    Every token except the very first is predicted exactly once, and every token except
    the last is an input.

    Returns:
        The rows, of `row_length + 1` tokens, and the remaining tokens, to be put in
        front of the next sequence.

    Raises:
        ValueError: If `row_length` is less than 1.

    >>> cut_rows(torch.arange(8), row_length=3)
    (tensor([[0, 1, 2, 3],
            [3, 4, 5, 6]]), tensor([6, 7]))
    """
    if row_length < 1:
        raise ValueError(f"row_length must be at least 1, got {row_length}.")
    rows = max(0, (len(tokens) - 1) // row_length)
    if not rows:
        return tokens.new_empty(0, row_length + 1), tokens
    return tokens[: rows * row_length + 1].unfold(
        0, row_length + 1, row_length
    ), tokens[rows * row_length :]


def document_numbers(
    ids: Int[Tensor, "*batch position"], end_of_document: int
) -> Int[Tensor, "*batch position"]:
    """Return the index of each token's document within its row, from 0. The
    end-of-document token belongs to the document before it.

    With these numbers, tokens of a `DecoderLM` attend only to their own document:
    `model(ids, AttentionContext.packed(document_numbers(...)))`.

    >>> document_numbers(torch.tensor([[7, 0, 8, 9, 0, 5]]), end_of_document=0)
    tensor([[0, 0, 1, 1, 1, 2]])
    """
    ends = (ids == end_of_document).long()
    return torch.cumsum(ends, dim=-1) - ends
