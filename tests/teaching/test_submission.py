import json
import os
import time
from pathlib import Path

import nbformat
import pytest

from genai_tutorial.teaching import TeachingError, find_submissions
from genai_tutorial.teaching.source import worth_a_look
from genai_tutorial.teaching.submission import read_submission
from tests.teaching.chapters import answered


def _notebook(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(answered(), path)
    return path


def test_student_names_come_from_files_or_nbgrader_folders(tmp_path: Path) -> None:
    _notebook(tmp_path / "submitted" / "ada" / "99_small" / "99_small.ipynb")
    _notebook(tmp_path / "submitted" / "bob" / "99_small.ipynb")
    _notebook(
        tmp_path
        / "submitted"
        / "bob"
        / ".ipynb_checkpoints"
        / "99_small-checkpoint.ipynb"
    )
    single = _notebook(tmp_path / "Carl Möller <c@x.org>.ipynb")
    found = find_submissions([tmp_path / "submitted", str(single)], "99_small")
    assert [student for student, _ in found] == ["Carl_Möller_c@x.org_", "ada", "bob"]


def test_student_name_cannot_escape_feedback_folder(tmp_path: Path) -> None:
    ((student, _),) = find_submissions([_notebook(tmp_path / "...ipynb")], "99_small")
    assert student not in ("", ".", "..")
    assert "/" not in student


def test_missing_submissions_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(TeachingError, match="no submission at"):
        find_submissions([tmp_path / "nobody.ipynb"], "99_small")
    with pytest.raises(TeachingError, match="holds no notebook"):
        find_submissions([tmp_path], "99_small")


def test_two_names_that_become_one_stop_nobody(tmp_path: Path) -> None:
    """A student can choose such a name on purpose."""
    for name in (".ada", "ada", "ada.", "bob(1)"):
        _notebook(tmp_path / "one" / f"{name}.ipynb")
    _notebook(tmp_path / "two" / "ada.ipynb")
    with pytest.warns(UserWarning, match="Two submissions have the name ada"):
        found = dict(find_submissions([tmp_path], "99_small"))
    assert found["ada"] == tmp_path / "one" / "ada.ipynb"
    assert len(found) == 5
    assert sum(name.startswith("ada-") for name in found) == 3
    one = [tmp_path / "one" / "ada.ipynb"]
    assert len(find_submissions([*one, *one], "99_small")) == 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        '{"nbformat": 4}',
        '{"nbformat": 99, "nbformat_minor": 0, "cells": [], "metadata": {}}',
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [3]}',
        "[" * 100_000,
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_invalid_notebook_file_gets_explanation(
    tmp_path: Path, content: str | bytes
) -> None:
    path = tmp_path / "ada.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert read_submission("ada", path).problem.startswith(
        "The file cannot be read as a notebook"
    )


def test_cells_with_invalid_metadata_are_ignored(tmp_path: Path) -> None:
    notebook = json.loads(nbformat.writes(answered(ex_1="right")))
    for strange in (None, 3, {"grade_id": ["ex-1"]}, {"grade_id": None}):
        cell = {
            "cell_type": "code",
            "id": f"s{len(notebook['cells'])}",
            "metadata": {"nbgrader": strange},
        }
        notebook["cells"].append(
            cell | {"source": "wrong", "outputs": [], "execution_count": None}
        )
    path = tmp_path / "ada.ipynb"
    path.write_text(json.dumps(notebook))
    assert read_submission("ada", path).answer("ex-1", "code") == ("right", "")


def _with_first_answer(tmp_path: Path, **changes: object) -> Path:
    notebook = json.loads(nbformat.writes(answered(ex_1="right")))
    cell = next(
        cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "ex-1"
    )
    cell.update(changes)
    path = tmp_path / "ada.ipynb"
    path.write_text(json.dumps(notebook))
    return path


@pytest.mark.parametrize(("letter", "named"), [("\ud800", "D800"), ("\0", "0000")])
def test_cell_with_syntax_error_is_not_run(
    tmp_path: Path, letter: str, named: str
) -> None:
    path = _with_first_answer(tmp_path, source=f"x = 1  # {letter}")
    answer, remark = read_submission("ada", path).answer("ex-1", "code")
    assert answer is None
    assert f"a character that Python cannot read (U+{named})" in remark


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": []},
        {"metadata": None},
        {"source": 3},
        {"source": ["right", 3]},
        {"source": {"a": "right"}},
        {"source": None},
    ],
    ids=repr,
)
def test_malformed_cell_loses_only_itself(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    submission = read_submission("ada", _with_first_answer(tmp_path, **changes))
    assert submission.problem == ""
    assert submission.answer("ex-1", "code")[0] is None
    assert submission.answer("ex-2", "code")[0] is not None


@pytest.mark.slow
def test_submitted_outputs_are_not_read(tmp_path: Path) -> None:
    """Parsing 100,000 outputs of unknown type would take a minute and gigabytes of
    memory.
    """
    path = _with_first_answer(tmp_path, outputs=[{}] * 100_000)
    start = time.monotonic()
    assert read_submission("ada", path).answer("ex-1", "code") == ("right", "")
    assert time.monotonic() - start < 5


@pytest.mark.slow
def test_large_notebook_of_old_format_is_rejected(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "language": "python", "metadata": {}, "outputs": []}
    for count, problem in ((10, ""), (20_000, "cannot be read")):
        cells = [cell | {"input": "x" * 30}] * count
        sheets = [{"metadata": {}, "cells": cells}]
        path = tmp_path / "ada.ipynb"
        head = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}}
        path.write_text(json.dumps(head | {"worksheets": sheets}))
        assert problem in read_submission("ada", path).problem
        assert bool(problem) == bool(read_submission("ada", path).problem)


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    """Reading from a pipe would block the grader forever."""
    (tmp_path / "folder.ipynb").mkdir()
    os.mkfifo(tmp_path / "pipe.ipynb")
    found = find_submissions([tmp_path], "99_small")
    assert [student for student, _ in found] == ["folder", "pipe"]
    for student, path in found:
        assert read_submission(student, path).problem == "It is not a file."


def test_links_are_not_followed(tmp_path: Path) -> None:
    """The grader may read the instructor's notebook, and a link would submit it."""
    _notebook(tmp_path / "instructor" / "99_small.ipynb")
    submitted = tmp_path / "submitted"
    submitted.mkdir()
    (submitted / "ada.ipynb").symlink_to(tmp_path / "instructor" / "99_small.ipynb")
    (submitted / "circle.ipynb").symlink_to(submitted / "circle.ipynb")
    (submitted / "folder").symlink_to(tmp_path / "instructor")
    found = find_submissions([submitted], "99_small")
    assert [student for student, _ in found] == ["ada", "circle"]
    for student, path in found:
        submission = read_submission(student, path)
        assert submission.problem == "It is a link, not a file."
        assert not submission.cells


def test_long_student_name_is_shortened_and_stays_unique(tmp_path: Path) -> None:
    for ending in ("a", "b"):
        _notebook(tmp_path / ("é" * 120 + ending) / "99_small.ipynb")
    names = [name for name, _ in find_submissions([tmp_path], "99_small")]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 200 for name in names)


def test_older_notebook_formats_are_read(tmp_path: Path) -> None:
    notebook = json.loads(nbformat.writes(answered(ex_1="right")))
    notebook["nbformat_minor"] = 2
    for cell in notebook["cells"]:
        del cell["id"]
    path = tmp_path / "ada.ipynb"
    path.write_text(json.dumps(notebook))
    assert read_submission("ada", path).answer("ex-1", "code") == ("right", "")


def test_oversized_cell_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "ada.ipynb"
    nbformat.write(answered(ex_1="x = 1\n" * 50_000), path)
    answer, remark = read_submission("ada", path).answer("ex-1", "code")
    assert answer is None
    assert "more than 100,000 characters" in remark


@pytest.mark.parametrize(
    "answer",
    [
        "import torch\nimport torch.nn.functional as F\ndef f(x): return F.relu(x)",
        (
            "class Layer(torch.nn.Module):\n    def __init__(self): self.scale = 1\n   "
            " def forward(self, x): return x"
        ),
        "weights = torch.zeros(3)\nweights.requires_grad = True",
        "import numpy as np\nnp.random.seed(0)",
        "%matplotlib inline\nfrom scipy import signal\nprint(f.__name__)",
        "class A(B):\n    def __init__(self):\n        super().__init__()\n"
        "        self._x = getattr(self, 'y', 0)",
    ],
)
def test_ordinary_code_is_not_flagged(answer: str) -> None:
    assert worth_a_look(answer, "") == []


@pytest.mark.parametrize(
    ("answer", "remark"),
    [
        ("import sys; sys._getframe()", "it uses _getframe"),
        (
            "import torch.testing as t\nt.assert_close = print",
            "it replaces t.assert_close",
        ),
        (
            "from torch import testing\ntesting.assert_close = print",
            "it replaces testing.assert_close",
        ),
        ("def f(): return open('/etc/passwd')", "it uses open"),
        ("e.__traceback__.tb_frame.f_back", "it uses f_back"),
        ("import random; random._os.abort()", "it uses _os"),
        ("from random import _os as o", "it uses _os"),
        ("import json; json.__dict__['loads'] = f", "it uses __dict__"),
        ("getattr(f, '__glo' + 'bals__')", "it uses getattr"),
        ("getattr(f, '__globals__')", "it uses getattr"),
        ("class Yes(float):\n    __eq__ = repr", "it defines __eq__"),
        ("Yes.__eq__ = repr", "it uses __eq__"),
        ("from unittest.mock import ANY", "it uses unittest.mock"),
        ("match f:\n    case object(__globals__=g): pass", "it uses __globals__"),
        ("%precision 3\nimport gc", "it uses gc"),
        ("%%time\nimport gc", "it uses get_ipython"),
        ("def f(", "it cannot be read as Python"),
    ],
)
def test_suspicious_code_is_flagged(answer: str, remark: str) -> None:
    assert remark in worth_a_look(answer, "")


def test_very_long_attribute_chain_is_flagged() -> None:
    (remark,) = worth_a_look("import torch\ntorch" + ".a" * 400 + " = 1", "")
    assert remark.startswith("it replaces torch.a.a.")
    assert len(remark) < 250


def test_constructs_used_in_reference_are_not_flagged() -> None:
    assert worth_a_look("import os\nopen('a')", "import os\nopen('b')") == []


def test_downloads_from_canvas_and_moodle_name_their_students(tmp_path: Path) -> None:
    for name in (
        "lovelaceada_LATE_1234_567890_99_small.ipynb",
        "lovelaceada_1234_567999_99_small-1.ipynb",
        "müllerjörg_88_9_99_small.ipynb",
        "anon_x7Kq2_5_99_small.ipynb",
        "Jean_Luc O'Neil_12_assignsubmission_file/99_small.ipynb",
        "Grace Hopper_7_assignsubmission_file_/mine.ipynb",
    ):
        _notebook(tmp_path / name)
    with pytest.warns(UserWarning, match="lovelaceada_1234 handed in 2 files"):
        found = dict(find_submissions([tmp_path], "99_small"))
    assert sorted(found) == [
        "Grace_Hopper_7",
        "Jean_Luc_O_Neil_12",
        "anon_x7Kq2",
        "lovelaceada_1234",
        "müllerjörg_88",
    ]
    assert found["lovelaceada_1234"].name == "lovelaceada_1234_567999_99_small-1.ipynb"


def test_unreadable_folder_is_left_out_with_a_warning(tmp_path, monkeypatch):
    (tmp_path / "ada.ipynb").touch()
    (tmp_path / "secret").mkdir()
    scan = os.scandir

    def closed(path):
        if Path(path).name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.warns(UserWarning, match="secret is left out: Permission denied"):
        found = find_submissions([tmp_path], "04_chapter")
    assert found == [("ada", tmp_path / "ada.ipynb")]
