"""Packing: documents of all lengths in rows of one length, without padding, and without
mixing them up.

The documents stand in one long line, each closed by the end-of-document token, and the
line is cut into rows. Where the documents begin and end can be read off the tokens, so
nothing needs to be kept beside them.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor


def join_documents(
    documents: Iterable[Sequence[int]], end_of_document: int
) -> np.ndarray:
    """Return all documents in one line, each followed by its end.

    Raises:
        ValueError: If a document has the end-of-document token inside.

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
    """Cuts a line into rows of `row_length` inputs and the token that follows; the next
    row begins with that one.

    So every token but the very first is predicted exactly once, and every one but the
    last is read.

    Returns:
        The rows, of `row_length + 1` tokens, and what is left for the rows of the line
        that comes next.

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
    """Numbers the documents of each row from 0; the end-of-document token belongs to
    the document that it closes.

    A `DecoderLM` that is given them lets no token see another document: `model(ids,
    AttentionContext.packed(document_numbers(...)))`.

    >>> document_numbers(torch.tensor([[7, 0, 8, 9, 0, 5]]), end_of_document=0)
    tensor([[0, 0, 1, 1, 1, 2]])
    """
    ends = (ids == end_of_document).long()
    return torch.cumsum(ends, dim=-1) - ends
