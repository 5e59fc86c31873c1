"""The file of a store of passages: its tables, its checks, and atomic transactions."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

APPLICATION_ID = 0x50415353  # "PASS": marks the file as one of these
FORMAT = 1

# Words are stored as this package splits them, between spaces, so that SQLite's own
# token rule changes nothing but accents.
SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
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


class StoreFile:
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
        """Do everything in the block or, if it raises or the process dies, nothing of
        it. After the block it is on the disk.
        """
        with self.explaining_errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def explaining_errors(self) -> Iterator[None]:
        """Name the file where SQLite finds that it is damaged."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{self.path} is damaged or not a store of passages ({error}): give "
                "another path, or restore the file from a copy."
            ) from error

    def changes_by_others(self) -> int:
        """Return a number that differs once another connection has changed the file."""
        return self.rows("PRAGMA data_version")[0][0]

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _open(self, width: int) -> None:
        database = self._database
        database.execute("PRAGMA busy_timeout = 10000")
        (kind,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and kind != APPLICATION_ID:
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
                    for statement in SCHEMA.split(";\n"):
                        database.execute(statement)
                    database.execute("INSERT INTO settings VALUES (?)", (width,))
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            raise ValueError(
                f"{self.path} has the format {version}, and this version of the "
                f"package reads {FORMAT}: build the store again."
            )
        (stored,) = database.execute("SELECT width FROM settings").fetchone()
        if stored != width:
            raise ValueError(
                f"{self.path} holds vectors of {stored} features, and width is "
                f"{width}: encode with the model that the store was built with."
            )


def has_full_text_search() -> bool:
    """Return whether Python's SQLite was built with FTS5."""
    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE VIRTUAL TABLE words USING fts5 (tokens)")
    except sqlite3.OperationalError:
        return False
    finally:
        database.close()
    return True
