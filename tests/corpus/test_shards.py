"""Token shards: reading any range of tokens, and errors for damaged files."""

import json
import random

import numpy as np
import pytest
import torch

from genai_tutorial.corpus import TokenShards, join_documents, write_shards

DOCUMENTS = [[5, 6, 7], [], [8], list(range(1, 31)), [9] * 11]
LINE = join_documents(DOCUMENTS, 0)


def _write(folder, documents=None, vocab_size=300, shard_length=10):
    documents = iter(DOCUMENTS) if documents is None else documents
    return write_shards(
        folder,
        documents,
        vocab_size=vocab_size,
        end_of_document=0,
        shard_length=shard_length,
    )


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
        _write(
            tmp_path / str(vocab_size),
            [[vocab_size - 1] * 100_000],
            vocab_size,
            shard_length=1 << 20,
        )
        file = tmp_path / str(vocab_size) / "00000.npy"
        assert file.stat().st_size == pytest.approx(100_001 * size, abs=200)
        assert TokenShards(file.parent).read(0, 2).tolist() == [vocab_size - 1] * 2
        assert isinstance(np.load(file, mmap_mode="r"), np.memmap)


def test_index_stores_vocabulary_and_end_token(tmp_path):
    _write(tmp_path)
    shards = TokenShards(tmp_path)
    assert (shards.vocab_size, shards.end_of_document) == (300, 0)
    assert shards.read(0, 3).dtype == torch.int64
    assert {file.suffix for file in tmp_path.iterdir()} == {".npy", ".json"}, (
        "no temporary file is left"
    )


def test_open_rejects_unfinished_folder(tmp_path):
    def interrupted():
        yield from DOCUMENTS
        raise KeyboardInterrupt

    _write(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path, interrupted())
    with pytest.raises(
        FileNotFoundError, match=r"has no index\.json: its shards were never finished"
    ):
        TokenShards(tmp_path)
    assert _write(tmp_path).read(0, 4).tolist() == [5, 6, 7, 0]


@pytest.mark.parametrize("length", [0, 60, 128, 147])
def test_open_names_truncated_shard(tmp_path, length):
    _write(tmp_path)
    path = tmp_path / "00002.npy"
    assert path.stat().st_size == 148
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        ValueError, match=r"00002\.npy is damaged or cut short: write the shards again"
    ):
        TokenShards(tmp_path)


def test_verify_finds_a_changed_byte(tmp_path):
    _write(tmp_path)
    content = bytearray((tmp_path / "00001.npy").read_bytes())
    content[-1] ^= 1
    (tmp_path / "00001.npy").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"Shard 1 of .* has changed since it was written"
    ):
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
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ValueError, match=r"index\.json is damaged"):
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
    whole, generator, messages = (tmp_path / file).read_bytes(), random.Random(0), []
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[generator.randrange(min(128, len(whole)))] = generator.randrange(256)
        (tmp_path / file).write_bytes(damaged)
        try:
            TokenShards(tmp_path)
        except (ValueError, FileNotFoundError) as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all(str(tmp_path) in message for message in messages)


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
    with pytest.raises(
        IndexError, match=f"There are {len(LINE)} tokens, and those from 40"
    ):
        shards.read(40, len(LINE) + 1)
