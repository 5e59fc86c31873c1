"""A store of passages in one SQLite file: words, vectors, and both together."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .bm25 import words_and_codes
from .chunking import Hit, Passage
from .fusion import reciprocal_rank_fusion
from .vector_index import FlatIndex

_APPLICATION_ID = 0x50415353  # "PASS": marks the file as one of these
_FORMAT = 1

# Words are stored as this package splits them, between spaces, so that SQLite's own
# token rule changes nothing but accents.
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_FORMAT};
CREATE TABLE settings (width INTEGER NOT NULL);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT NOT NULL,
    source TEXT NOT NULL,
    licence TEXT NOT NULL,
    vector BLOB NOT NULL
);
CREATE INDEX by_source ON passages (source);
CREATE VIRTUAL TABLE words USING fts5 (
    tokens, tokenize = "unicode61 tokenchars '._'"
);
"""


_DEPTH = 50
"""The number of passages that each method contributes to a fused search."""


class _StoreFile:
    """An SQLite file with the tables of a store of passages."""

    def __init__(self, path: Path | str, width: int):
        if not has_full_text_search():
            raise RuntimeError(
                "Python's SQLite was built without full-text search (FTS5), which the "
                "store needs: use the Python from python.org, conda or your system."
            )
        self.path = path
        with self.explaining_errors():
            self._database = sqlite3.connect(path, isolation_level=None)
            try:
                self._open(width)
            except BaseException:
                self._database.close()
                raise

    def rows(self, query: str, values: Sequence = ()) -> list[tuple]:
        """Return the rows of a query."""
        with self.explaining_errors():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all of the block or, if it raises or the process dies, nothing of it."""
        with self.explaining_errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                # A full disk, for one, has ended the transaction already.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def explaining_errors(self) -> Iterator[None]:
        """Name the file where SQLite finds that it is damaged."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            # A lock or a full disk is no damage, but SQLite calls it operational, too,
            # if the index of words makes no sense.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
            is_operational = isinstance(error, sqlite3.OperationalError)
            if is_operational and code != sqlite3.SQLITE_ERROR:
                raise
            raise ValueError(
                f"{self.path} is damaged or not a store of passages ({error}): give "
                "another path, or restore the file from a copy."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _open(self, width: int) -> None:
        database = self._database
        database.execute("PRAGMA busy_timeout = 10000")
        (kind,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and kind != _APPLICATION_ID:
            raise ValueError(
                f"{self.path} is an SQLite file, but not a store of passages: give "
                "another path."
            )
        # The log is written and flushed before a transaction counts as done.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        if not tables:
            with self.transaction():
                # Another process may have been faster.
                if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
                    for statement in _SCHEMA.split(";\n"):
                        database.execute(statement)
                    database.execute("INSERT INTO settings VALUES (?)", (width,))
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != _FORMAT:
            raise ValueError(
                f"{self.path} has the format {version}, and this version of the "
                f"package reads {_FORMAT}: build the store again."
            )
        if _definitions(database) != _expected_definitions():
            # A view may compute for ever, and a trigger change what is stored.
            raise ValueError(
                f"{self.path} has other tables, views or triggers than a store of "
                "passages: give another path, or build the store again."
            )
        # None if a damaged file has no settings
        (stored,) = database.execute("SELECT max(width) FROM settings").fetchone()
        if stored != width:
            raise ValueError(
                f"{self.path} holds vectors of {stored} features, and width is "
                f"{width}: encode with the model that the store was built with."
            )


def _definitions(database: sqlite3.Connection) -> set[tuple]:
    # SQLite adds another name to the definition of a table for statistics.
    return set(
        database.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master "
            "WHERE name NOT LIKE 'sqlite_stat%'"
        )
    )


@cache
def _expected_definitions() -> set[tuple]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(_SCHEMA)
        return _definitions(database)


def has_full_text_search() -> bool:
    """Return whether Python's SQLite was built with FTS5."""
    with closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("CREATE VIRTUAL TABLE words USING fts5 (tokens)")
        except sqlite3.OperationalError:
            return False
    return True


class PassageStore:
    """Passages in one file, which survives a crash: a change is on disk once `add` or
    `delete` has returned, and an interrupted change leaves no trace.

    Vectors are stored as raw 32-bit floats, so that reading a file runs no code of it.
    Several processes may open the same file. The store is also a context manager.

    Args:
        path: The file, which is created if there is none; `":memory:"` for a store that
            is never written.
        width: The number of features of the vectors. For an existing file it must be
            the same again.

    Raises:
        ValueError: If the file is not such a store, is damaged, or has vectors of
            another width.
        RuntimeError: If Python's SQLite was built without full-text search (FTS5).

    Source: SQLite's full-text search and its BM25, https://www.sqlite.org/fts5.html

    >>> store = PassageStore(":memory:", width=2)
    >>> passages = [Passage("Lima is in Peru.", "atlas"), Passage("It rains.", "diary")]
    >>> store.add(passages, torch.eye(2))
    [1, 2]
    >>> store.search_words("Where is Lima?", k=1)[0].passage.source
    'atlas'
    >>> store.search_vectors(torch.tensor([0.0, 1.0]), k=1)[0].passage.text
    'It rains.'
    >>> store.close()
    """

    def __init__(self, path: Path | str, width: int):
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}.")
        self.path, self.width = path, width
        self._file = _StoreFile(path, width)
        self._vectors: tuple[list[int], Tensor] | None = None
        self._changes = -1

    def add(
        self, passages: Sequence[Passage], vectors: Float[Tensor, "passage dim"]
    ) -> list[int]:
        """Add passages, all or none, and return their numbers.

        Raises:
            ValueError: If there is not one vector of the store's width for each
                passage, or one is not finite.
        """
        if vectors.shape != (len(passages), self.width):
            raise ValueError(
                f"{len(passages)} passages need vectors of the shape "
                f"({len(passages)}, {self.width}), got {tuple(vectors.shape)}."
            )
        if not vectors.isfinite().all():
            raise ValueError("All vectors must be finite, but one is not.")
        blobs = vectors.detach().cpu().numpy().astype("<f4")
        numbers = []
        self._vectors = None
        with self._file.transaction() as database:
            for passage, vector in zip(passages, blobs, strict=True):
                added = database.execute(
                    "INSERT INTO passages (text, source, licence, vector) "
                    "VALUES (?, ?, ?, ?)",
                    (passage.text, passage.source, passage.licence, vector.tobytes()),
                )
                numbers.append(added.lastrowid)
                database.execute(
                    "INSERT INTO words (rowid, tokens) VALUES (?, ?)",
                    (added.lastrowid, " ".join(words_and_codes(passage.text))),
                )
        return numbers

    def delete(self, ids: Iterable[int]) -> int:
        """Delete passages by their numbers, all or none, and return how many there
        were.
        """
        deleted = 0
        self._vectors = None
        with self._file.transaction() as database:
            for number in ids:
                database.execute("DELETE FROM words WHERE rowid = ?", (number,))
                deleted += database.execute(
                    "DELETE FROM passages WHERE id = ?", (number,)
                ).rowcount
        return deleted

    def delete_source(self, source: str) -> int:
        """Delete all passages of a source, and return how many there were."""
        rows = self._file.rows("SELECT id FROM passages WHERE source = ?", (source,))
        return self.delete(number for (number,) in rows)

    def __len__(self) -> int:
        return self._file.rows("SELECT count(*) FROM passages")[0][0]

    def search_words(
        self, query: str, k: int, sources: Sequence[str] | None = None
    ) -> list[Hit]:
        """Find the passages that share words with a query, by SQLite's BM25.

        Args:
            query: Any text; it has no operators.
            k: The largest number of passages.
            sources: The sources to search; None for all.

        Raises:
            ValueError: If `k` is below 1.
        """
        _check_k(k)
        # Between quotation marks nothing is an operator.
        quoted = [f'"{word}"' for word in words_and_codes(query)]
        if not quoted or (sources is not None and not sources):
            return []
        chosen, values = _among(sources)
        rows = self._file.rows(
            "SELECT id, text, source, licence, -bm25(words) FROM words "
            f"JOIN passages ON id = words.rowid WHERE words MATCH ? {chosen} "
            "ORDER BY bm25(words), id LIMIT ?",
            (" OR ".join(quoted), *values, k),
        )
        return [Hit(row[0], Passage(*row[1:4]), row[4]) for row in rows]

    def search_vectors(
        self,
        query: Float[Tensor, "dim"],
        k: int,
        sources: Sequence[str] | None = None,
    ) -> list[Hit]:
        """Find the passages with the nearest vectors. The score is the negative squared
        distance, which for vectors of length one orders like the cosine.

        Args:
            query: The query's vector.
            k: The largest number of passages.
            sources: The sources to search; None for all.

        Raises:
            ValueError: If the query has another width, or `k` is below 1.
        """
        _check_k(k)
        numbers, vectors = self._load_vectors()
        if sources is not None:
            chosen, values = _among(sources)
            query_ids = f"SELECT id FROM passages WHERE TRUE {chosen}"
            allowed = {n for (n,) in self._file.rows(query_ids, values)}
            kept = [place for place, n in enumerate(numbers) if n in allowed]
            numbers, vectors = [numbers[place] for place in kept], vectors[kept]
        if not numbers:
            return []
        found = FlatIndex(vectors).search(query[None].cpu(), min(k, len(numbers)))
        nearest = [numbers[place] for place in found.ids[0].tolist()]
        squares = found.distances[0].tolist()
        passages = self._passages(nearest)
        return [
            Hit(number, passages[number], -square)
            for number, square in zip(nearest, squares, strict=True)
        ]

    def search(self, query: str, vector: Float[Tensor, "dim"], k: int) -> list[Hit]:
        """Find passages by words and by meaning, and fuse the two rankings by their
        reciprocal ranks.

        Args:
            k: The largest number of passages.
        """
        by_words = self.search_words(query, _DEPTH)
        by_meaning = self.search_vectors(vector, _DEPTH)
        passages = {hit.id: hit.passage for hit in (*by_words, *by_meaning)}
        fused = reciprocal_rank_fusion(
            [[hit.id for hit in by_words], [hit.id for hit in by_meaning]]
        )
        return [Hit(n, passages[n], score) for n, score in list(fused.items())[:k]]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "PassageStore":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _load_vectors(self) -> tuple[list[int], Float[Tensor, "n dim"]]:
        """Return the numbers and vectors of all passages, read again after a change."""
        # It differs once another connection has changed the file.
        changes = self._file.rows("PRAGMA data_version")[0][0]
        if self._vectors is not None and changes == self._changes:
            return self._vectors
        rows = self._file.rows("SELECT id, vector FROM passages ORDER BY id")
        for number, blob in rows:
            if len(blob) != 4 * self.width:
                raise ValueError(
                    f"Passage {number} in {self.path} has a vector of {len(blob)} "
                    f"bytes instead of {4 * self.width}: the file is damaged. Restore "
                    "it from a copy, or delete the passage."
                )
        numbers = np.frombuffer(b"".join(blob for _, blob in rows), dtype="<f4")
        vectors = torch.from_numpy(numbers.astype(np.float32))
        self._vectors = [n for n, _ in rows], vectors.view(len(rows), self.width)
        self._changes = changes
        return self._vectors

    def _passages(self, ids: Sequence[int]) -> dict[int, Passage]:
        marks = ", ".join("?" * len(ids))
        rows = self._file.rows(
            f"SELECT id, text, source, licence FROM passages WHERE id IN ({marks})", ids
        )
        return {row[0]: Passage(*row[1:]) for row in rows}


def _among(sources: Sequence[str] | None) -> tuple[str, list[str]]:
    """Return a condition on a passage's source, and its values."""
    if sources is None:
        return "", []
    return f"AND source IN ({', '.join('?' * len(sources))})", list(sources)


def _check_k(k: int) -> None:
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}.")
