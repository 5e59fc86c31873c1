"""Packing: no token is lost, and no document attends to another."""

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tutorial.corpus import (
    TokenShards,
    cut_rows,
    document_numbers,
    join_documents,
    write_shards,
)
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
from tests.mutants import mutants, refusals

END = 0
ANY_DOCUMENTS = st.lists(st.lists(st.integers(1, 9), max_size=12), max_size=10)


@pytest.mark.slow
@given(ANY_DOCUMENTS, st.integers(1, 8))
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


@pytest.mark.slow
@given(ANY_DOCUMENTS)
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
    with pytest.raises(ValueError, match="Document 1 has the end-of-document token 0"):
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
    # without document numbers, later documents attend to earlier ones
    assert (leaking[:, 5:] - packed[:, 5:]).abs().amax(dim=-1).min() > 0.01


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


DOCUMENTS = [[5, 6, 7], [], [8], list(range(1, 31)), [9] * 11]
LINE = join_documents(DOCUMENTS, 0)


def _write(folder, documents=DOCUMENTS, **settings):
    settings = {"vocab_size": 300, "shard_length": 10} | settings
    return write_shards(folder, iter(documents), end_of_document=0, **settings)


@pytest.mark.parametrize("shard_length", [1, 7, 10, len(LINE), 1000])
def test_read_returns_every_range_as_written(tmp_path, shard_length):
    shards = _write(tmp_path, shard_length=shard_length)
    assert len(shards) == len(LINE)
    for start in range(len(LINE) + 1):
        for stop in range(start, len(LINE) + 1):
            assert shards.read(start, stop).tolist() == LINE[start:stop].tolist()
    assert len(list(tmp_path.glob("*.npy"))) == -(-len(LINE) // shard_length)
    shards.verify()


def test_shards_use_16_bits_if_possible(tmp_path):
    for vocab_size, size in ((65_536, 2), (65_537, 4)):
        sizes = {"vocab_size": vocab_size, "shard_length": 1 << 20}
        _write(tmp_path / str(vocab_size), [[vocab_size - 1] * 100_000], **sizes)
        file = tmp_path / str(vocab_size) / "00000.npy"
        assert file.stat().st_size == pytest.approx(100_001 * size, abs=200)
        assert TokenShards(file.parent).read(0, 2).tolist() == [vocab_size - 1] * 2
        assert isinstance(np.load(file, mmap_mode="r"), np.memmap)


def test_index_stores_vocabulary_and_end_token(tmp_path):
    _write(tmp_path)
    shards = TokenShards(tmp_path)
    assert (shards.vocab_size, shards.end_of_document) == (300, 0)
    assert shards.read(0, 3).dtype == torch.int64
    # no temporary file is left
    assert {file.suffix for file in tmp_path.iterdir()} == {".npy", ".json"}


def test_open_rejects_unfinished_folder(tmp_path):
    def interrupted():
        yield from DOCUMENTS
        raise KeyboardInterrupt

    _write(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path, interrupted())
    with pytest.raises(FileNotFoundError, match=r"has no index\.json: its shards"):
        TokenShards(tmp_path)
    assert _write(tmp_path).read(0, 4).tolist() == [5, 6, 7, 0]


@pytest.mark.parametrize("length", [0, 60, 128, 147])
def test_open_names_truncated_shard(tmp_path, length):
    _write(tmp_path)
    path = tmp_path / "00002.npy"
    assert path.stat().st_size == 148
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"00002\.npy is damaged or cut short"):
        TokenShards(tmp_path)


def test_verify_finds_a_changed_byte(tmp_path):
    _write(tmp_path)
    content = bytearray((tmp_path / "00001.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "00001.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"Shard 1 of .* has changed"):
        TokenShards(tmp_path).verify()


def test_open_rejects_foreign_shards(tmp_path):
    _write(tmp_path)
    np.save(tmp_path / "00001.npy", np.zeros(10))
    with pytest.raises(ValueError, match="should have 10 numbers of type uint16"):
        TokenShards(tmp_path)
    (tmp_path / "00001.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks its shard 00001\.npy"):
        TokenShards(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"format": "another"}))
    with pytest.raises(ValueError, match="is not the index of token shards"):
        TokenShards(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocab_size", None),
        ("vocab_size", "300"),
        ("vocab_size", 0),
        ("end_of_document", 300),
        ("end_of_document", 1.5),
        ("shards", []),
        ("shards", {}),
        ("shards", [3]),
        ("shards", [{}]),
        ("shards", [{"file": "../a.npy", "length": 10, "sha256": ""}]),
    ],
)
def test_open_rejects_an_index_with_wrong_entries(tmp_path, name, value):
    _write(tmp_path)
    path = tmp_path / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(ValueError, match=r"index\.json is damaged"):
        TokenShards(tmp_path)


@pytest.mark.parametrize("file", ["index.json", "00001.npy"])
def test_open_names_the_damaged_file_or_reads(tmp_path, file):
    _write(tmp_path)

    def read():
        with contextlib.suppress(FileNotFoundError):  # of another name in the index
            TokenShards(tmp_path)

    damaged = mutants((tmp_path / file).read_bytes(), 60, within=128)
    said = refusals(tmp_path / file, damaged, read)
    assert len(said) > 20
    assert all(str(tmp_path) in message for message in said)


def test_open_never_unpickles(tmp_path):
    _write(tmp_path)
    np.save(
        tmp_path / "00000.npy", np.array([print] * 10, dtype=object), allow_pickle=True
    )
    with pytest.raises(ValueError, match="damaged"):
        TokenShards(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"documents": [[300]]}, "Tokens must be from 0 to 299, got 0 to 300"),
        ({"documents": [[-1]]}, "Tokens must be from 0 to 299, got -1 to 0"),
        ({"documents": []}, "no documents"),
        ({"shard_length": 0}, "shard_length must be at least 1, got 0"),
    ],
)
def test_write_shards_arguments_are_validated(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        _write(tmp_path, **settings)


def test_read_rejects_ranges_beyond_the_end(tmp_path):
    shards = _write(tmp_path)
    with pytest.raises(IndexError, match="tokens, and those from 40"):
        shards.read(40, len(LINE) + 1)
