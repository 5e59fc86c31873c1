"""Totals for spreadsheets, Canvas and Moodle, from grades in the form that the grader
writes and tables in the platforms' form.
"""

import csv
import json
import zipfile
from pathlib import Path

import pytest

from genai_tutorial.teaching import TeachingError, write_students, write_upload

_EXPORT = """\
Student,ID,SIS User ID,SIS Login ID,Section,Chapter 4 (99),Chapter 8 (100),Final Score
    Points Possible,,,,,17,14,(read only)
"Lovelace, Ada",1234,S1,ada@uni.edu,A,,12,70
"Müller, Jörg",88,S2,joerg@uni.edu,A,EX,,70
"Student, Test",9,,x,A,,,
"""
_WORKSHEET = """\
Identifier,Full name,Status,Grade,Maximum Grade,Last modified (grade),Feedback comments
Participant 1234,Ada Lovelace,Submitted,,17.00,"Monday, 23 November 2026, 9:05 AM",Hm
Participant 5,Grace Hopper,No submission,,17.00,-,
"""
_CANVAS = {
    "lovelaceada_1234": "lovelaceada_1234_567_99_small.ipynb",
    "müllerjörg_88": "müllerjörg_LATE_88_9_99_small.ipynb",
    "turingalan_77": "turingalan_77_3_99_small.ipynb",
}
_MOODLE = {
    "Ada_Lovelace_1234": "Ada Lovelace_1234_assignsubmission_file/99_small.ipynb"
}


def _graded(folder: Path, names: dict[str, str], last: str = "1.5") -> list[Path]:
    """Write grades for submissions with these names, and the submissions."""
    rows = [["student", "exercise", "points", "max", "comment"]]
    for student, name in names.items():
        rows += [[student, "4.1", "2", "2", "a"], [student, "4.2", last, "3", "b"]]
        page = folder / "grades" / "feedback" / f"{student}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"for {student}", encoding="utf-8")
        path = folder / "submissions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    with (folder / "grades" / "grades.csv").open("w", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    record = json.dumps({"chapter": "99_small", "graded": {}})
    (folder / "grades" / "graded.json").write_text(record)
    return [folder / "submissions"]


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8-sig")
    return path


def _packed(folder: Path) -> dict[str, str]:
    with zipfile.ZipFile(folder / "feedback.zip") as file:
        return {name: file.read(name).decode() for name in file.namelist()}


def test_students_have_a_row_each(tmp_path: Path) -> None:
    _graded(tmp_path, {"zoe": "zoe.ipynb", "ada": "ada.ipynb"})
    path = write_students(tmp_path / "grades", tmp_path)
    assert path.read_text().splitlines() == [
        "student,total,max,4.1,4.2",
        "ada,3.5,5,2,1.5",
        "zoe,3.5,5,2,1.5",
    ]
    with pytest.raises(TeachingError, match="exists already"):
        write_students(tmp_path / "grades", tmp_path)


def test_canvas_gets_its_own_rows_and_feedback_by_its_names(tmp_path: Path) -> None:
    handed_in = _graded(tmp_path, _CANVAS)
    export = _write(tmp_path / "export.csv", _EXPORT)
    unknown = write_upload(
        tmp_path / "grades", tmp_path / "up", handed_in, export, "Chapter 4"
    )
    assert unknown == ["turingalan_77"]
    header, possible, ada, excused, test = csv.reader(
        (tmp_path / "up" / "export.csv").read_text("utf-8").splitlines()
    )
    assert header[:2] == ["Student", "ID"]
    assert header[4:] == ["Section", "Chapter 4 (99)"]
    assert possible[0] == "    Points Possible"
    assert [row[-1] for row in (possible, ada, excused, test)] == [
        "17",
        "3.5",
        "EX",
        "",
    ]
    assert _packed(tmp_path / "up") == {
        "lovelaceada_1234_567_feedback.html": "for lovelaceada_1234",
        "müllerjörg_LATE_88_9_feedback.html": "for müllerjörg_88",
        "turingalan_77_3_feedback.html": "for turingalan_77",
    }


def test_moodle_keeps_every_other_cell(tmp_path: Path) -> None:
    handed_in = _graded(tmp_path, _MOODLE)
    sheet = _write(tmp_path / "sheet.csv", _WORKSHEET)
    assert not write_upload(tmp_path / "grades", tmp_path / "up", handed_in, sheet)
    before = list(csv.reader(_WORKSHEET.splitlines()))
    after = list(
        csv.reader((tmp_path / "up" / "sheet.csv").read_text("utf-8").splitlines())
    )
    before[1][3] = "3.50"
    assert after == before
    assert _packed(tmp_path / "up") == {
        "Ada Lovelace_1234_assignsubmission_file/feedback.html": "for Ada_Lovelace_1234"
    }


def test_missing_points_are_refused_unless_allowed(tmp_path: Path) -> None:
    _graded(tmp_path, {"ada": "ada.ipynb"}, last="")
    with pytest.raises(TeachingError, match=r"missing .*: ada 4\.2\. Enter them"):
        write_students(tmp_path / "grades", tmp_path)
    path = write_students(tmp_path / "grades", tmp_path, allow_missing=True)
    assert path.read_text().splitlines()[1] == "ada,2,5,2,0"


@pytest.mark.parametrize(
    ("names", "table", "column", "message"),
    [
        (_CANVAS, _EXPORT, "Chapter 5", r"0 assignments .*Chapter 4 \(99\), Chapter 8"),
        (_CANVAS, _WORKSHEET, "Chapter 4", "not a gradebook exported from Canvas"),
        (_CANVAS, "", "Chapter 4", "table is empty"),
        (_MOODLE, _EXPORT, None, "no column Identifier"),
        (_MOODLE, _EXPORT, "Chapter 4", "download from Canvas"),
        ({"ada": "ada.ipynb"}, _WORKSHEET, None, "download from Moodle"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_written(
    tmp_path: Path, names: dict, table: str, column: str | None, message: str
) -> None:
    handed_in = _graded(tmp_path, names)
    path = _write(tmp_path / "table.csv", table)
    with pytest.raises(TeachingError, match=message):
        write_upload(tmp_path / "grades", tmp_path / "up", handed_in, path, column)
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (b"", "its columns must be student, exercise"),
        (b"a,b\n", "its columns must be student, exercise"),
        (b"student,exercise,points,max,comment\na", "no table of grades"),
        (b"student,exercise,points,max,comment\nada,4.1,two,3,\n", "a number, such"),
        (b"student,exercise,points,max,comment\nZo\xeb,4.1,2,3,\n", "in UTF-8"),
    ],
)
def test_a_damaged_table_of_grades_is_refused(
    tmp_path: Path, rows: bytes, said: str
) -> None:
    (tmp_path / "grades.csv").write_bytes(rows)
    with pytest.raises(TeachingError, match=said):
        write_students(tmp_path, tmp_path)
