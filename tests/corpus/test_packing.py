"""Packing: no token is lost, and no document attends to another."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.corpus import cut_rows, document_numbers, join_documents
from genai_tutorial.transformer import (
    AttentionContext,
    DecoderConfig,
    DecoderLM,
    InitializationConfig,
    MultiHeadAttention,
    RotaryEmbedding,
    rotary_frequencies,
)
from genai_tutorial.transformer.context import document_positions

END = 0
DOCUMENTS = st.lists(st.lists(st.integers(1, 9), max_size=12), max_size=10)


@given(DOCUMENTS, st.integers(1, 8))
@settings(max_examples=200)
def test_cut_rows_keeps_every_token_once(documents, row_length):
    line = torch.from_numpy(join_documents(documents, END))
    rows, rest = cut_rows(line, row_length)
    assert line.tolist() == [
        token for document in documents for token in [*document, END]
    ]
    predicted = torch.cat([line[:1], rows[:, 1:].flatten(), rest[1:]])
    assert torch.equal(predicted, line)
    assert torch.equal(torch.cat([rows[:, :-1].flatten(), rest]), line)
    assert len(rest) <= row_length or len(rows) == 0
    assert rows.shape[1] == row_length + 1


@given(DOCUMENTS)
@settings(max_examples=200)
def test_document_numbers_and_positions_from_tokens(documents):
    ids = torch.from_numpy(join_documents(documents, END))[None]
    numbers = document_numbers(ids, END)
    assert numbers[0].tolist() == [
        place for place, text in enumerate(documents) for _ in range(len(text) + 1)
    ]
    assert document_positions(numbers)[0].tolist() == [
        i for text in documents for i in range(len(text) + 1)
    ]


def test_join_documents_rejects_an_inner_end_token():
    with pytest.raises(
        ValueError, match="Document 1 has the end-of-document token 0 inside its text"
    ):
        join_documents([[1, 2], [3, 0, 4]], END)
    with pytest.raises(ValueError, match="row_length must be at least 1, got 0"):
        cut_rows(torch.arange(4), 0)
    assert join_documents([], END).dtype == np.int64


def test_packed_row_gives_logits_of_single_documents():
    model = DecoderLM(
        replace(
            DecoderConfig.fast(10, width=16, layers=2, pair_features=4),
            initialization=InitializationConfig(std=None),
        )
    )
    documents = [[5, 3, 8, 1], [7, 7, 2], [4, 9, 6, 1, 2, 3]]
    row = torch.from_numpy(join_documents(documents, END))[None]
    packed = model(row, AttentionContext.packed(document_numbers(row, END)))
    alone = [model(torch.tensor([[*document, END]])) for document in documents]
    torch.testing.assert_close(packed, torch.cat(alone, dim=1), atol=1e-5, rtol=1e-5)
    leaking = model(row)
    torch.testing.assert_close(leaking[:, :5], packed[:, :5], atol=1e-5, rtol=1e-5)
    assert (leaking[:, 5:] - packed[:, 5:]).abs().amax(dim=-1).min() > 0.01, (
        "without document numbers, later documents attend to earlier ones"
    )


def test_packed_row_has_no_gradient_across_documents():
    rotary = RotaryEmbedding(rotary_frequencies(4, 10_000), 32)
    layer = MultiHeadAttention(16, 4, rotary=rotary)
    documents = document_numbers(torch.tensor([[5, 3, END, 8, 1, END]]), END)
    vectors = torch.randn(
        1, 6, 16, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    context = AttentionContext.packed(documents)
    layer(vectors, context)[0, 3:].square().sum().backward()
    assert not vectors.grad[0, :3].any()
    assert vectors.grad[0, 3:].any(dim=-1).all()
