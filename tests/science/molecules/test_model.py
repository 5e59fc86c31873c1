"""Rows of molecules, property tokens, and sampling."""

import pytest
import torch

from genai_tutorial.science.molecules import (
    SmilesTokenizer,
    label_dropout_loss,
    molecule_rows,
    sample_guided,
)


def generator():
    return torch.Generator().manual_seed(3)


def test_molecule_rows_hold_each_molecule_between_its_label_and_the_end(molecules):
    tokenizer = SmilesTokenizer.from_smiles(molecules, ["<low>", "<high>"])
    labels = [0, 1, 0, 1, 0, 1]
    rows = molecule_rows(tokenizer, molecules, 12, labels)
    read = set()
    for ids, documents in zip(rows.ids, rows.documents, strict=True):
        for number in range(int(documents.max()) + 1):
            first, *text, end = ids[documents == number].tolist()
            assert first in tokenizer.label_ids
            assert end == tokenizer.end
            read.add((tokenizer.decode(text), first - tokenizer.label_ids[0]))
    assert read == set(zip(molecules, labels, strict=True))


def test_molecule_rows_leave_out_what_is_longer_than_a_row(molecules):
    tokenizer = SmilesTokenizer.from_smiles(molecules)
    rows = molecule_rows(tokenizer, molecules, 6)
    assert tokenizer.decode(rows.ids.flatten().tolist()).count("c") == 0
    assert (rows.ids[:, 0] == tokenizer.start).all()
    with pytest.raises(ValueError, match="at least one example"):
        molecule_rows(tokenizer, molecules, 2)


@pytest.mark.parametrize(("dropout", "expected"), [(0.0, {3}), (1.0, {1})])
def test_label_dropout_loss_shows_the_label_or_start(dropout, expected):
    tokenizer = SmilesTokenizer(("C",), ("<high>",))
    rows = molecule_rows(tokenizer, ["CC", "CCC"], 5, [0, 0])
    seen = []

    def model(ids, context):
        seen.append(ids[:, 0])
        return torch.zeros(*ids.shape, tokenizer.vocab_size)

    loss = label_dropout_loss(tokenizer, dropout, torch.Generator().manual_seed(0))
    wrapped = torch.nn.Module()
    wrapped.forward = model
    value = loss(wrapped, *rows.tensors)
    assert set(torch.cat(seen).tolist()) == expected
    assert float(value) == pytest.approx(torch.tensor(5.0).log().item())


def test_sample_is_repeatable_and_cuts_into_batches(chains, monkeypatch):
    monkeypatch.setattr("genai_tutorial.science.molecules.model.BATCH", 3)
    first, again = (chains.sample(7, generator=generator()) for _ in range(2))
    assert first == again
    assert len(first) == 7
    assert set("".join(first)) <= set("CNO")


def test_sample_returns_an_empty_string_where_the_end_is_missing(chains):
    drawn = chains.rollouts(20, generator=generator())
    strings = chains.strings(drawn)
    assert not drawn.finished.all()  # an untrained model often forgets the end
    for text, finished, row in zip(
        strings, drawn.finished.tolist(), drawn.answers(), strict=True
    ):
        assert text == (chains.tokenizer.decode(row) if finished else "")


def test_rollouts_begin_with_the_label(chains):
    drawn = chains.rollouts(2, label=1)
    assert (drawn.ids[:, 0] == chains.tokenizer.label_ids[1]).all()
    with pytest.raises(ValueError, match="label must be from 0 to 1 or None, got 2"):
        chains.rollouts(2, label=2)
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        chains.sample(0)


@pytest.mark.parametrize(("guidance", "label"), [(1.0, 1), (0.0, None)])
def test_guidance_of_one_conditions_and_of_zero_ignores_the_label(
    chains, guidance, label
):
    """With the same draws, guided sampling and rollouts write the same strings."""
    guided = sample_guided(chains, 6, 1, guidance, generator=generator())
    assert guided == chains.sample(6, label=label, generator=generator())


def test_guidance_exaggerates_the_label(chains):
    """A label that doubles the odds of nitrogen raises them further with guidance."""
    with torch.no_grad():
        label = chains.tokenizer.label_ids[1]
        nitrogen = chains.tokenizer.encode("N")[0]
        head = chains.decoder.head.weight
        chains.decoder.token_embedding.weight[label] += 0.5 * head[nitrogen]
    shares = []
    for guidance in (0.0, 8.0):
        text = "".join(sample_guided(chains, 60, 1, guidance, generator=generator()))
        shares.append(text.count("N") / len(text))
    assert shares[1] > shares[0]


def test_guided_sampling_rejects_an_unknown_label(chains):
    with pytest.raises(ValueError, match="label must be from 0 to 1"):
        sample_guided(chains, 1, 5, 1.0)
