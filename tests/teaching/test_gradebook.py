"""The folder of grades: no submission affects the points of other students, and an
interrupted run can be resumed.
"""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from genai_tutorial.sandbox import Protection
from genai_tutorial.teaching import TeachingError, grade, grading
from genai_tutorial.teaching import reports as module
from genai_tutorial.teaching.reports import Report, Result
from genai_tutorial.teaching.sandbox import Limits
from genai_tutorial.teaching.submission import Submission
from tests.teaching.chapters import answered, cell_of, small_chapter


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "grades.csv").open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def _points(folder: Path, student: str) -> list[str]:
    return [row["points"] for row in _rows(folder) if row["student"] == student]


# --- Independence of submissions ---

_FORGED = (
    "def double(x):\n    import json, os, sys\n    frame = sys._getframe()\n"
    "    while 'request' not in frame.f_locals: frame = frame.f_back\n"
    "    names = frame.f_locals\n"
    "    names['replies'].write(json.dumps({'id': names['request']['id']}) + '\\n')\n"
    "    names['replies'].flush(); os._exit(0)"
)
# The first answer of each hostile submission, and the points that it gets.
_HOSTILE_CELLS = {
    "surrogate": ("# \ud800\ndef double(x): return 2 * x", "0"),
    "null": ("# \0\ndef double(x): return 2 * x", "0"),
    "prints": ("print('\\ud800\\0\\x1b[31m\\u202e')\ndef double(x): return 2 * x", "2"),
    "raises": ("def double(x): raise ValueError('\\udfff\\0\\u202e' * 50)", "0"),
    "bidi": ("# \u202e\u2066\ndef double(x): return 2 * x", "2"),
    "chain": (
        "import json\ndef double(x): return 2 * x\njson" + ".x" * 400 + " = 1",
        "2",
    ),
    "nested": ("def double(x): return 2 * x\n" + "(" * 5_000, "0"),
    "minus": ("def double(x): return 2 * x\n" + "-" * 50_000 + "1", "0"),
    "forged": (_FORGED, "0"),
}


def _write_class(folder: Path) -> dict[str, str]:
    """Write a class of hostile submissions, and return the expected points of their
    first exercise.
    """
    folder.mkdir()
    expected = {"ada": "2", "zoe": "2"}
    release = answered(ex_1="def double(x): return x + x", ex_4="Because I say so.")
    for student in expected:
        nbformat.write(release, folder / f"{student}.ipynb")
    right = json.loads(nbformat.writes(release))
    first = next(
        number
        for number, cell in enumerate(right["cells"])
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "ex-1"
    )

    def write(student: str, points: str, text: str | None = None, **changes) -> None:
        notebook = json.loads(json.dumps(right))
        notebook["cells"][first].update(changes)
        text = json.dumps(notebook) if text is None else text
        (folder / f"{student}.ipynb").write_text(text)
        expected[student] = points

    for student, (source, points) in _HOSTILE_CELLS.items():
        write(student, points, source=source)
    marks = right["cells"][first]["metadata"]["nbgrader"]
    write("ids", "0", metadata={"nbgrader": marks | {"grade_id": "\ud800"}})
    write("numbers", "2", metadata={"nbgrader": marks | {"points": float("nan")}})
    write("infinite", "2", execution_count=float("inf"))
    write("outputs", "2", outputs=[{"\ud800": "\0"}] * 20_000)
    write("number", "0", source=3)
    write("huge", "0", source="# " + "x" * 5_000_000)
    text = json.dumps(right)
    write("twice", "2", text.replace('"source"', '"source": "wrong", "source"'))
    write("deep", "0", text[:-1] + ', "a": ' + "[" * 100_000 + "]" * 100_000 + "}")
    write("digits", "0", text[:-1] + ', "a": ' + "9" * 5_000 + "}")
    write("x" * 249, "2")
    # a file name that is not UTF-8
    (folder / os.fsdecode(b"latin-\xe9.ipynb")).write_text(text)
    expected["latin-_"] = "2"
    cell_of(release, "ex-4").source = "Because \ud800 and \0."
    write("open", "2", json.dumps(release))
    (folder / "folder.ipynb").mkdir()
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "circle.ipynb").symlink_to(folder / "circle.ipynb")
    return expected | dict.fromkeys(("folder", "pipe", "circle"), "0")


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    return Limits(cell_seconds=20.0, memory=256 << 20, file_size=4 << 20)


@pytest.mark.slow
def test_hostile_submission_does_not_affect_others(
    tmp_path: Path, small_limits: Limits
) -> None:
    """For any text that JSON allows and any kind of file, each student has rows and a
    page, and loses at most the exercise with the hostile answer.
    """
    chapter = small_chapter()
    chapter.cells = [
        cell
        for cell in chapter.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id", "ex-1")[:4]
        in ("ex-1", "ex-4")
    ]
    nbformat.write(chapter, tmp_path / "99_small.ipynb")
    expected = _write_class(tmp_path / "class")
    folder = tmp_path / "grades"
    places, options = [tmp_path / "class"], {"unprotected": True}
    reports = grade(
        tmp_path / "99_small.ipynb", places, folder, limits=small_limits, **options
    )
    assert not any(report.failed for report in reports)
    assert len(reports) == len(expected)
    found = {row["student"]: row["points"] for row in reversed(_rows(folder))}
    expected = {
        next(
            report.student for report in reports if report.student[:30] == name[:30]
        ): points
        for name, points in expected.items()
    }
    assert found == expected
    unread = {"deep", "digits", "folder", "pipe", "circle"}
    for report in reports:
        assert (folder / "feedback" / f"{report.student}.html").read_text("utf-8")
        waits = "" if report.student not in unread else "0"
        assert _points(folder, report.student)[1] == waits


# --- Resuming ---


class _FakeGrader:
    """Gives one point per exercise, and records which students it graded."""

    graded: list[str]
    stop_at = fail_at = ""
    sandbox = SimpleNamespace(protections=())

    def __init__(self, chapter, secrets, limits) -> None:
        self.chapter = chapter

    def __enter__(self) -> "_FakeGrader":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def report(self, submission: Submission) -> Report:
        if submission.student == self.stop_at:
            raise KeyboardInterrupt
        self.graded.append(submission.student)
        results = [
            Result(
                exercise.name,
                exercise.title,
                None if exercise.is_open else 1.0,
                exercise.points,
                "Well done.",
                attention=("it uses gc",),
                failed=submission.student == self.fail_at,
            )
            for exercise in self.chapter.exercises
        ]
        protections = (Protection("Students' code is kept in", True, "a fake"),)
        return Report(submission.student, "99", tuple(results), protections)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[_FakeGrader]:
    kind = type("Fake", (_FakeGrader,), {"graded": []})
    monkeypatch.setattr(grading, "Grader", kind)
    return kind


@pytest.fixture
def regrade(
    fake: type[_FakeGrader], tmp_path: Path
) -> Callable[..., tuple[list[str], list[Report]]]:
    """Grade again, and return the regraded students and the reports."""
    nbformat.write(small_chapter(), tmp_path / "99_small.ipynb")
    for student in ("ada", "bob", "zoe"):
        (tmp_path / "class" / student).mkdir(parents=True)
        nbformat.write(
            answered(ex_1=student), tmp_path / "class" / student / "99_small.ipynb"
        )

    def again(*places: str, **options) -> tuple[list[str], list[Report]]:
        fake.graded.clear()
        reports = grade(
            tmp_path / "99_small.ipynb",
            [tmp_path / "class" / place for place in places or ("",)],
            tmp_path / "grades",
            **options,
        )
        return list(fake.graded), reports

    return again


ALL = ["ada", "bob", "zoe"]


def test_interrupted_grading_resumes(regrade, fake, tmp_path: Path) -> None:
    fake.stop_at = "zoe"
    with pytest.raises(KeyboardInterrupt):
        regrade()
    assert {row["student"] for row in _rows(tmp_path / "grades")} == {"ada", "bob"}
    fake.stop_at = ""
    graded, reports = regrade()
    assert graded == ["zoe"]
    assert [report.student for report in reports] == ALL
    assert {report.points for report in reports} == {3}
    assert {report.waiting for report in reports} == {2}
    assert all(result.attention for report in reports for result in report.results)
    assert [row["student"] for row in _rows(tmp_path / "grades")] == [
        student for student in ALL for _ in range(4)
    ]


@pytest.mark.parametrize("stop_at", range(5))
def test_grading_resumes_after_interrupt_at_each_file_write(
    regrade, fake, tmp_path: Path, monkeypatch, stop_at: int
) -> None:
    """The run is stopped before each of its first writes; afterwards no student is
    missing and no rows are duplicated.
    """
    write, written = module.write_text, []

    def stop(path: Path, text: str) -> Path:
        if len(written) == stop_at:
            raise KeyboardInterrupt
        written.append(path)
        return write(path, text)

    monkeypatch.setattr(module, "write_text", stop)
    with pytest.raises(KeyboardInterrupt):
        regrade()
    monkeypatch.setattr(module, "write_text", write)
    graded, reports = regrade()
    assert graded == (ALL if stop_at < 4 else ALL[1:])
    assert [report.student for report in reports] == ALL
    assert len(_rows(tmp_path / "grades")) == 12
    assert regrade()[0] == []


def test_unchanged_submissions_are_not_regraded(regrade, tmp_path: Path) -> None:
    assert regrade()[0] == ALL
    before = (tmp_path / "grades" / "grades.csv").read_bytes()
    assert regrade()[0] == []
    assert (tmp_path / "grades" / "grades.csv").read_bytes() == before
    for path in (tmp_path / "class").rglob("*.ipynb"):
        os.utime(path, (0, 0))  # only the content matters
    assert regrade()[0] == []
    assert regrade(overwrite=True)[0] == ALL


def test_changed_submissions_are_regraded(regrade, tmp_path: Path) -> None:
    regrade()
    nbformat.write(answered(), tmp_path / "class" / "bob" / "99_small.ipynb")
    assert regrade()[0] == ["bob"]
    (tmp_path / "grades" / "feedback" / "zoe.html").unlink()
    assert regrade()[0] == ["zoe"]
    table = tmp_path / "grades" / "grades.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if "ada,99.2" not in line))
    assert regrade()[0] == ["ada"]
    assert regrade()[0] == []
    assert regrade(limits=Limits(cell_seconds=1.0))[0] == ALL
    changed = small_chapter()
    cell_of(changed, "ex-1-tests").source += "\nassert double(0) == 0"
    nbformat.write(changed, tmp_path / "99_small.ipynb")
    assert regrade(limits=Limits(cell_seconds=1.0))[0] == ALL
    changed.cells[0].source += " in other words"
    nbformat.write(changed, tmp_path / "99_small.ipynb")
    assert regrade(limits=Limits(cell_seconds=1.0))[0] == []


def test_exercise_is_regraded_after_grader_failure(regrade, fake) -> None:
    fake.fail_at = "bob"
    assert regrade()[0] == ALL
    fake.fail_at = ""
    assert regrade()[0] == ["bob"]
    assert regrade()[0] == []


def test_manual_gradebook_entries_are_kept(regrade, tmp_path: Path) -> None:
    """Kept entries: manual points, extra columns with notes, and rows of students who
    are not graded this time.
    """
    regrade()
    table = tmp_path / "grades" / "grades.csv"
    text = table.read_text().replace("comment\n", "comment,note\n", 1)
    text = text.replace("ada,99.4,,2,", "ada,99.4,1.5,2,")
    text = text.replace("bob,99.4,,2,", "bob,99.4,0.5,2,")
    table.write_text(text + "eve,99.1,2,2,on paper\n", encoding="utf-8-sig")
    graded, (ada, *_) = regrade()
    assert (graded, ada.points, ada.waiting) == ([], 4.5, 0)
    (tmp_path / "class" / "bob" / "99_small.ipynb").write_text("changed")
    assert regrade("bob")[0] == ["bob"]
    rows = _rows(tmp_path / "grades")
    by_place = {(row["student"], row["exercise"]): row for row in rows}
    assert by_place["ada", "99.4"]["points"] == "1.5"
    assert by_place["eve", "99.1"]["comment"] == "on paper"
    assert by_place["bob", "99.4"]["points"] == ""  # the answer has changed
    assert by_place["bob", "99.4"]["comment"].endswith("(Points before: 0.5.)")
    assert len(rows) == 13
    assert regrade("zoe", overwrite=True)[0] == ["zoe"]
    assert len(_rows(tmp_path / "grades")) == 13


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("graded.json", "{", "is not a table"),
        ("graded.json", "[]", "is not a table"),
        ("graded.json", '{"chapter": "98_other", "graded": {}}', "98_other"),
        ("grades.csv", "student;exercise;points;max;comment\n", "other names"),
        ("grades.csv", "", "is not a table"),
        ("grades.csv", 'student,exercise,points,max,comment\n"ada', "is not a table"),
    ],
)
def test_foreign_gradebook_is_replaced_only_on_request(
    regrade, tmp_path: Path, file: str, content: str, said: str
) -> None:
    regrade()
    (tmp_path / "grades" / file).write_text(content)
    with pytest.raises(TeachingError, match=said):
        regrade()
    assert (tmp_path / "grades" / file).read_text() == content
    assert regrade(overwrite=True)[0] == ALL
    assert regrade()[0] == []
