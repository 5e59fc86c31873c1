"""Packed examples do not affect each other: each gets the logits that it gets alone."""

import dataclasses

import pytest
import torch

from genai_tutorial.alignment import (
    Example,
    pack_examples,
    pad_examples,
    supervised_loss,
)
from genai_tutorial.transformer import AttentionContext
from tests.alignment.models import CONFIGS, FAST, GPT2, model_of, random_ids

ALL = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
SIZES = [(3, 4), (1, 2), (5, 1), (2, 2), (1, 1), (6, 3)]


def examples():
    ids = random_ids(sum(a + b for a, b in SIZES), seed=3).tolist()
    return [
        Example(
            tuple(ids.pop() for _ in range(prompt)),
            tuple(ids.pop() for _ in range(answer)),
        )
        for prompt, answer in SIZES
    ]


def packed(model, ids, documents):
    return model(ids, AttentionContext.packed(documents))


@ALL
def test_packed_examples_get_the_logits_that_they_get_alone(config):
    model = model_of(config)
    rows = pack_examples(examples(), 16)
    logits = packed(model, rows.ids, rows.documents)
    seen = 0
    for ids, documents, found in zip(rows.ids, rows.documents, logits, strict=True):
        for number in range(int(documents.max()) + 1):
            own = documents == number
            torch.testing.assert_close(
                found[own], model(ids[own][None])[0], atol=1e-5, rtol=1e-5
            )
            seen += 1
    assert seen == len(SIZES) > len(rows.ids)


@ALL
def test_packed_examples_do_not_depend_on_each_other(config):
    model = model_of(config)
    rows = pack_examples(examples(), 16)
    changed = torch.where(rows.documents == 0, (rows.ids + 1) % 13, rows.ids)
    before, after = (
        packed(model, rows.ids, rows.documents),
        packed(model, changed, rows.documents),
    )
    others = rows.documents > 0
    # bit for bit: no path leads from one to the other
    assert torch.equal(before[others], after[others])
    assert not torch.allclose(before[rows.documents == 0], after[rows.documents == 0])


@ALL
def test_packed_examples_leak_without_documents(config):
    model = model_of(config)
    rows = pack_examples(examples(), 16)
    changed = torch.where(rows.documents == 0, (rows.ids + 1) % 13, rows.ids)
    others = rows.documents > 0
    assert not torch.allclose(
        model(rows.ids)[others], model(changed)[others], atol=1e-3
    )


@pytest.mark.parametrize("learned", ["is_answer", "is_text"])
@ALL
def test_packed_and_padded_rows_have_the_same_loss_and_gradient(config, learned):
    model = model_of(config)
    results = []
    for rows in (pad_examples(examples()), pack_examples(examples(), 16)):
        model.zero_grad()
        loss = supervised_loss(model, rows.ids, getattr(rows, learned), rows.documents)
        loss.backward()
        results.append(
            [
                loss.detach(),
                *(p.grad.clone() for p in model.parameters() if p.grad is not None),
            ]
        )
    for padded, packed in zip(*results, strict=True):
        torch.testing.assert_close(padded, packed, atol=1e-5, rtol=1e-4)


@ALL
def test_packing_one_text_per_row_changes_nothing(config):
    model, ids = model_of(config), random_ids(2, 12)
    torch.testing.assert_close(
        packed(model, ids, torch.full_like(ids, 7)), model(ids), atol=1e-5, rtol=1e-5
    )


def test_positions_restart_with_each_packed_text():
    # GPT-2 adds a vector for each position, so the same text twice in a row must give
    # the same logits twice.
    model = model_of(GPT2)
    text = random_ids(1, 6)
    documents = torch.tensor([[0] * 6 + [1] * 6])
    logits = packed(model, text.repeat(1, 2), documents)
    torch.testing.assert_close(logits[:, :6], logits[:, 6:])


def test_convolution_may_be_longer_than_a_packed_text():
    # The text is at the very beginning of the row.
    local = dataclasses.replace(FAST.local, convolution_size=5)
    model = model_of(dataclasses.replace(FAST, local=local))
    ids, documents = random_ids(1, 4), torch.tensor([[0, 1, 1, 1]])
    found = packed(model, ids, documents)
    torch.testing.assert_close(found[:, 1:], model(ids[:, 1:]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[:, :1], model(ids[:, :1]), atol=1e-5, rtol=1e-5)
