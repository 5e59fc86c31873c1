"""Packing and sharding: documents of any length, concatenated, in rows of equal length
and in files that are read on access.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from genai_tutorial.runtime import read_json, write_atomically


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
    end = rows * row_length
    return tokens[: end + 1].unfold(0, row_length + 1, row_length), tokens[end:]


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


FORMAT = "genai_tutorial shards 1"
INDEX = "index.json"


def write_shards(
    folder: Path | str,
    documents: Iterable[Sequence[int]],
    *,
    vocab_size: int,
    end_of_document: int,
    shard_length: int = 1 << 26,
) -> "TokenShards":
    """Write documents to shards, and open them.

    The documents are consumed one by one, with at most one shard in memory. If the
    process is killed, the folder has no index and cannot be opened; the next call
    writes it again.

    Args:
        documents: Tokens of each document, without the end-of-document token.
        vocab_size: Vocabulary size; up to 65,536, a token takes two bytes, otherwise
            four.
        end_of_document: Token to append to each document.
        shard_length: Number of tokens per shard; the last one may be shorter.

    Raises:
        ValueError: If a token is not in the vocabulary, `shard_length` is less than 1,
            or there are no documents.
    """
    if shard_length < 1:
        raise ValueError(f"shard_length must be at least 1, got {shard_length}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    kind = np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
    shards: list[dict] = []
    for tokens in _cut(documents, end_of_document, shard_length):
        if tokens.min() < 0 or tokens.max() >= vocab_size:
            raise ValueError(
                f"Tokens must be from 0 to {vocab_size - 1}, got {tokens.min()} to "
                f"{tokens.max()}."
            )
        tokens, name = tokens.astype(kind), f"{len(shards):05d}.npy"
        with write_atomically(folder / name) as file:
            np.save(file, tokens, allow_pickle=False)
        digest = hashlib.sha256(tokens.data).hexdigest()
        shards.append({"file": name, "length": len(tokens), "sha256": digest})
    if not shards:
        raise ValueError("There are no documents to write.")
    index = {
        "format": FORMAT,
        "vocab_size": vocab_size,
        "end_of_document": end_of_document,
        "shards": shards,
    }
    with write_atomically(folder / INDEX) as file:
        file.write((json.dumps(index, indent=1) + "\n").encode())
    return TokenShards(folder)


class TokenShards:
    """The tokens in a folder of shards, as one sequence that is read on access.

    Args:
        folder: Folder written by `write_shards`.

    Raises:
        FileNotFoundError: If the folder has no index, or a shard is missing.
        ValueError: If a file is damaged, truncated, or of another type.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shards = write_shards(
    ...         folder,
    ...         [[5, 6, 7], [8]],
    ...         vocab_size=10,
    ...         end_of_document=0,
    ...         shard_length=4,
    ...     )
    ...     len(shards), shards.read(2, 5)  # across the border of two files
    (6, tensor([7, 0, 8]))
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        index = self._read_index()
        self.vocab_size: int = index["vocab_size"]
        self.end_of_document: int = index["end_of_document"]
        self._digests = [shard["sha256"] for shard in index["shards"]]
        self._shards = [
            self._open(shard["file"], shard["length"]) for shard in index["shards"]
        ]
        self._ends = np.cumsum([len(shard) for shard in self._shards])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, start: int, stop: int) -> Int[Tensor, " length"]:
        """Return the tokens from `start` up to but not including `stop`.

        Raises:
            IndexError: If the range exceeds the tokens.
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(
                f"There are {len(self)} tokens, and those from {start} to before "
                f"{stop} were asked for."
            )
        tokens = np.empty(stop - start, dtype=np.int64)
        first = int(np.searchsorted(self._ends, start, side="right"))
        done = 0
        for shard, end in zip(
            self._shards[first:], self._ends[first:].tolist(), strict=True
        ):
            if done == len(tokens):
                break
            begin = start + done - (end - len(shard))
            part = shard[begin : begin + len(tokens) - done]
            tokens[done : done + len(part)] = part
            done += len(part)
        return torch.from_numpy(tokens)

    def verify(self) -> None:
        """Check every shard against the checksum in the index.

        Raises:
            ValueError: If a shard has changed since it was written.
        """
        for number, shard in enumerate(self._shards):
            digest = self._digests[number]
            if hashlib.sha256(np.ascontiguousarray(shard).data).hexdigest() != digest:
                raise ValueError(
                    f"Shard {number} of {self.folder.name} has changed since it was "
                    "written: write anew."
                )

    def _read_index(self) -> dict:
        path = self.folder / INDEX
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.folder} has no {INDEX}: its shards were never finished. Write "
                "them again."
            )
        index = read_json(path)
        if index.get("format") != FORMAT:
            raise ValueError(f"{path} is not the index of token shards.")
        if not _is_complete(index):
            raise ValueError(f"{path} is damaged: write the shards again.")
        return index

    def _open(self, name: str, length: int) -> np.ndarray:
        path = self.folder / name
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.folder} lacks its shard {name}: write the shards again."
            )
        try:
            shard = np.load(path, mmap_mode="r", allow_pickle=False)
        # NumPy compares the header with the file's size; a damaged header can raise
        # nearly anything, since it is a piece of Python.
        except Exception as error:
            raise ValueError(
                f"{path} is damaged or cut short: write the shards again. ({error})"
            ) from error
        kind = np.dtype("<u2" if self.vocab_size <= 1 << 16 else "<u4")
        if shard.dtype != kind or shard.shape != (length,):
            raise ValueError(
                f"{path} should have {length} numbers of type {kind}, and has shape "
                f"{shard.shape} of type {shard.dtype}: it is from another folder."
            )
        return shard


def _is_complete(index: dict) -> bool:
    vocab_size, end = index.get("vocab_size"), index.get("end_of_document")
    shards = index.get("shards")
    return (
        type(vocab_size) is type(end) is int
        and 0 <= end < vocab_size <= 1 << 32
        and isinstance(shards, list)
        and bool(shards)
        and all(
            isinstance(shard, dict)
            and type(shard.get("length")) is int
            and isinstance(shard.get("sha256"), str)
            # a plain name, which can't lead out of the folder
            and re.fullmatch(r"\d{5,}\.npy", str(shard.get("file")))
            for shard in shards
        )
    )


def _cut(
    documents: Iterable[Sequence[int]], end_of_document: int, length: int
) -> Iterator[np.ndarray]:
    """Yield the concatenated documents in chunks of `length` tokens; the last one may
    be shorter.
    """
    waiting, count = [], 0
    for document in documents:
        waiting.append(join_documents([document], end_of_document))
        count += len(waiting[-1])
        while count >= length:
            joined = np.concatenate(waiting)
            yield joined[:length]
            waiting, count = [joined[length:]], count - length
    if count:
        yield np.concatenate(waiting)
