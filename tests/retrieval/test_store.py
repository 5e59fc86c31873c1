import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest
import torch

from genai_tutorial.retrieval import Passage, PassageStore
from tests.mutants import mutants, refusals

FACTS = [
    Passage("The capital of Peru is Lima.", "atlas", "public domain"),
    Passage("Websites from Peru end in .pe.", "web", "MIT"),
    Passage("The capital of Kenya is Nairobi.", "atlas", "public domain"),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "library.sqlite"


@pytest.fixture
def library(path):
    with PassageStore(path, width=3) as opened:
        opened.add(FACTS, torch.eye(3))
        yield opened


def texts(hits):
    return [hit.passage.text for hit in hits]


def test_store_finds_by_words_and_keeps_source_and_licence(library):
    hits = library.search_words("Which capital does Kenya have?", k=2)
    assert [hit.passage for hit in hits] == [FACTS[2], FACTS[0]]
    assert hits[0].score > hits[1].score
    assert library.search_words("What is .pe?", k=3)[0].passage == FACTS[1]
    assert library.search_words("pe", k=3) == []


def test_store_finds_by_vectors(library):
    hits = library.search_vectors(torch.tensor([0.0, 1.0, 0.5]), k=2)
    assert [hit.id for hit in hits] == [2, 3]
    assert [hit.score for hit in hits] == pytest.approx([-0.25, -1.25])


def test_store_fuses_both(library):
    hits = library.search("capital of Kenya", torch.tensor([0.0, 1.0, 0.9]), k=3)
    assert hits[0].id == 3
    assert {hit.id for hit in hits} == {1, 2, 3}


def test_store_searches_chosen_sources_only(library):
    assert texts(library.search_words("Peru", 5, sources=["web"])) == [FACTS[1].text]
    query = torch.tensor([0.0, 1.0, 0.0])
    found = library.search_vectors(query, 5, sources=["atlas"])
    assert 2 not in [hit.id for hit in found]
    for nothing in ([], ["nowhere"]):
        assert library.search_words("Peru", 5, nothing) == []
        assert library.search_vectors(query, 5, nothing) == []


def test_store_deletes_from_both_indices(library):
    assert library.delete([3, 99]) == 1
    assert texts(library.search_words("Kenya", 5)) == []
    assert [hit.id for hit in library.search_vectors(torch.ones(3), 5)] == [1, 2]
    assert library.delete_source("atlas") == 1
    assert len(library) == 1
    # Numbers are not used again, so that an old citation never names another passage.
    assert library.add(FACTS[:1], torch.ones(1, 3)) == [4]


def test_store_opens_again_with_the_same_contents(library, path):
    query = torch.tensor([0.2, 0.3, 0.9])
    before = library.search("Peru capital", query, k=3)
    library.close()
    with PassageStore(path, width=3) as again:
        assert again.search("Peru capital", query, k=3) == before


def test_store_sees_what_another_connection_writes(library, path):
    assert len(library.search_vectors(torch.ones(3), 9)) == 3
    with PassageStore(path, width=3) as other:
        other.add(FACTS[:1], torch.ones(1, 3))
    hits = library.search_vectors(torch.ones(3), 9)
    assert hits[0].id == 4
    assert len(library.search_words("Lima", 9)) == 2


def test_store_treats_queries_as_words_only(library):
    for query in (
        '"',
        "Lima OR",
        "NEAR(",
        "words: *",
        "a AND NOT b",
        "'; DROP TABLE x",
    ):
        library.search_words(query, k=2)
    assert texts(library.search_words('Lima" OR "Kenya', k=1)) != []
    assert library.search_words("?!", k=2) == []


def test_store_adds_all_or_none(library, monkeypatch):
    def fail_at_second(text):
        if "Kenya" in text:
            raise KeyboardInterrupt
        return text.split()

    words = "genai_tutorial.retrieval.store.words_and_codes"
    monkeypatch.setattr(words, fail_at_second)
    with pytest.raises(KeyboardInterrupt):
        library.add(FACTS, torch.eye(3))
    assert len(library) == 3


WRITER = """
import sys, torch
from genai_tutorial.retrieval import Passage, PassageStore
from tests.mutants import mutants, refusals
store = PassageStore(sys.argv[1], width=2)
for number in range(100_000):
    pair = [Passage(f"left {number}", "s"), Passage(f"right {number}", "s")]
    store.add(pair, torch.full((2, 2), float(number)))
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_store_survives_kill(path, acknowledged):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    with writer:
        for _ in range(acknowledged):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        seen = acknowledged + len(writer.stdout.read().split())
    with PassageStore(path, width=2) as opened:
        # Nothing that was acknowledged is lost, and at most the addition that was under
        # way is there as well: whole, with its words and its vectors.
        pairs = len(opened) // 2
        assert len(opened) % 2 == 0
        assert seen <= pairs <= seen + 1
        for number in range(pairs):
            assert len(opened.search_words(f"{number}", k=9)) == 2
            (hit,) = opened.search_vectors(torch.full((2,), float(number)), k=1)
            assert hit.passage.text.endswith(f" {number}")
            assert hit.score == 0
        opened.add([Passage("after", "s")], torch.zeros(1, 2))
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


def test_store_rejects_foreign_and_damaged_files(path, tmp_path):
    path.write_bytes(b"not a database at all, " * 100)
    with pytest.raises(ValueError, match="damaged or not a store of passages"):
        PassageStore(path, width=3)
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(ValueError, match="an SQLite file, but not a store"):
        PassageStore(tmp_path / "other.sqlite", width=3)


def test_a_damaged_store_is_a_value_error_that_names_it(library, path):
    library.close()

    def read():
        for log in path.parent.glob("*.sqlite-*"):
            log.unlink()
        with PassageStore(path, width=3) as damaged:
            damaged.search("capital of Peru", torch.ones(3), k=2)

    said = refusals(path, mutants(path.read_bytes(), 300), read)
    assert len(said) > 100
    assert all(str(path) in message for message in said)


def test_store_rejects_other_width_and_format(library, path):
    with pytest.raises(ValueError, match="holds vectors of 3 features, and width is 4"):
        PassageStore(path, width=4)
    for change, message in (
        ("DELETE FROM settings", "vectors of None features, and width is 3"),
        ("PRAGMA user_version = 9", "has the format 9, and .* reads 1"),
    ):
        with contextlib.closing(sqlite3.connect(path)) as changed:
            changed.execute(change)
            changed.commit()
        with pytest.raises(ValueError, match=message):
            PassageStore(path, width=3)


def test_store_rejects_vector_of_wrong_size(library, path):
    changed = sqlite3.connect(path)
    changed.execute("UPDATE passages SET vector = ? WHERE id = 2", (b"\x80\x04N.",))
    changed.commit()
    changed.close()
    with pytest.raises(ValueError, match="vector of 4 bytes instead of 12"):
        library.search_vectors(torch.ones(3), 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.add(FACTS, torch.eye(2)), r"shape \(3, 3\), got \(2, 2\)"),
        (lambda s: s.add(FACTS, torch.full((3, 3), torch.nan)), "must be finite"),
        (lambda s: s.search_words("Peru", 0), "k must be at least 1"),
        (lambda s: s.search_vectors(torch.ones(2), 1), "got queries with 2"),
        (lambda s: PassageStore(":memory:", width=0), "width must be at least 1"),
    ],
)
def test_store_rejects_wrong_arguments(library, call, message):
    with pytest.raises(ValueError, match=message):
        call(library)
    assert len(library) == 3


def test_store_needs_full_text_search(monkeypatch, path):
    search = "genai_tutorial.retrieval.store.has_full_text_search"
    monkeypatch.setattr(search, lambda: False)
    with pytest.raises(RuntimeError, match="without full-text search"):
        PassageStore(path, width=3)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER evil AFTER INSERT ON passages BEGIN "
        "UPDATE passages SET text = 'EVIL'; END",
        "DROP TABLE passages; CREATE VIEW passages AS WITH RECURSIVE n(id) AS "
        "(SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n",
        "DROP INDEX by_source",
    ],
)
def test_a_file_with_another_schema_is_refused(tmp_path, statement):
    path = tmp_path / "store.db"
    PassageStore(path, width=2).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(statement)
    with pytest.raises(ValueError, match="other tables, views or triggers"):
        PassageStore(path, width=2)


def test_a_full_disk_is_named(tmp_path):
    with PassageStore(tmp_path / "store.db", width=2) as store:
        store._file.rows("PRAGMA max_page_count = 20")
        with pytest.raises(sqlite3.OperationalError, match="disk is full"):
            store.add([Passage("word " * 100_000, "a book")], torch.zeros(1, 2))
        assert len(store) == 0
