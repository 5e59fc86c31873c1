"""The points of a class in one row per student, for a learning platform or for a
spreadsheet.
"""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from genai_tutorial.runtime import write_atomically

from .exercises import TeachingError, check_absent, read_table, write_text
from .platforms import Owner, canvas_table, moodle_table, owner_of
from .reports import COLUMNS, no_formula
from .submission import find_submissions


def write_students(
    grades: str | Path,
    folder: str | Path,
    *,
    allow_missing: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write `students.csv`: a row per student with the total, the maximum, and the
    points of each exercise.

    Args:
        grades: The folder that `grade` has written.
        folder: The folder to write to.
        allow_missing: If true, count points that a person has not entered yet as 0.
        overwrite: If true, replace an existing file.

    Raises:
        TeachingError: If the table of grades cannot be read or lacks points, or the
            file exists or cannot be written.
    """
    path = Path(folder) / "students.csv"
    students = _read_points(Path(grades), allow_missing)
    check_absent(path, overwrite)
    exercises = sorted({name for own in students.values() for name in own})
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["student", "total", "max", *exercises])
    for student, own in sorted(students.items()):
        total, most = (sum(numbers) for numbers in zip(*own.values(), strict=True))
        cells = [f"{own[name][0]:g}" if name in own else "" for name in exercises]
        table.writerow([student, f"{total:g}", f"{most:g}", *cells])
    return write_text(path, text.getvalue())


def write_upload(
    grades: str | Path,
    folder: str | Path,
    submissions: Sequence[str | Path],
    table: str | Path,
    column: str | None = None,
    *,
    allow_missing: bool = False,
    overwrite: bool = False,
) -> list[str]:
    """Write what Canvas or Moodle reads: its table with the students' totals in it, and
    `feedback.zip`, whose pages are named so that each reaches its student.

    Args:
        grades: The folder that `grade` has written.
        folder: The folder to write to.
        submissions: The unpacked download that was graded.
        table: The gradebook exported from Canvas, or the worksheet from Moodle.
        column: The assignment's title, for Canvas only.
        allow_missing: If true, count points that a person has not entered yet as 0.
        overwrite: If true, replace existing files.

    Returns:
        The students in `grades` who got no points in the table: it has no row for them,
        or their file is not among the submissions.

    Raises:
        TeachingError: If a file is missing, exists or is not what it should be, points
            are missing, or no submission is from this platform.
    """
    grades, folder, table = Path(grades), Path(folder), Path(table)
    platform = "Moodle" if column is None else "Canvas"
    students = _read_points(grades, allow_missing)
    owners = _owners(grades, submissions, platform)
    owners = {name: owner for name, owner in owners.items() if name in students}
    if not owners:
        raise TeachingError(
            "None of the graded submissions has a name as in a download from "
            f"{platform}. Give the unpacked folder that was graded."
        )
    points = {
        owner.id: sum(given for given, _ in students[name].values())
        for name, owner in owners.items()
    }
    text = read_table(table)
    if column is None:
        filled, unknown = moodle_table(text, points)
    else:
        filled, unknown = canvas_table(text, points, column)
    for path in (folder / table.name, packed := folder / "feedback.zip"):
        check_absent(path, overwrite)
    write_text(folder / table.name, filled)
    _write_feedback(packed, owners, grades / "feedback")
    return sorted(
        name for name in students if name not in owners or owners[name].id in unknown
    )


def _read_points(
    grades: Path, allow_missing: bool
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return points and maximum by student and exercise."""
    path = grades / "grades.csv"
    students: dict[str, dict[str, tuple[float, float]]] = {}
    missing = []
    table = io.StringIO(read_table(path), newline="")
    try:
        header, *rows = [*csv.reader(table, strict=True)] or [[]]
        if tuple(header[: len(COLUMNS)]) != COLUMNS:
            raise ValueError(f"its columns must be {', '.join(COLUMNS)}")
        for student, exercise, points, most, *_ in rows:
            if not points.strip():
                missing.append(f"{student} {exercise}")
            try:
                given = float(points.strip() or 0)
            except ValueError as error:
                raise TeachingError(
                    f"{path} gives {student} {points!r} for exercise {exercise}: enter "
                    "a number, such as 2.5."
                ) from error
            students.setdefault(student, {})[exercise] = given, float(most)
    except (ValueError, csv.Error) as error:
        raise TeachingError(f"{path} is no table of grades ({error}).") from error
    if missing and not allow_missing:
        more = f", and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise TeachingError(
            f"Points are missing in {path}: {', '.join(missing[:5])}{more}. Enter them,"
            " or count them as 0 with --allow-missing."
        )
    return students


def _owners(
    grades: Path, submissions: Sequence[str | Path], platform: str
) -> dict[str, Owner]:
    """Return who handed in the submissions, by the name in the table of grades."""
    try:
        chapter = json.loads((grades / "graded.json").read_text("utf-8"))["chapter"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise TeachingError(f"{grades} is no folder of grades ({error}).") from error
    found = find_submissions(submissions, chapter)
    owners = {no_formula(student): owner_of(path) for student, path in found}
    return {
        student: owner
        for student, owner in owners.items()
        if owner and owner.platform == platform
    }


def _write_feedback(path: Path, owners: dict[str, Owner], pages: Path) -> None:
    try:
        with write_atomically(path, "wb") as file, zipfile.ZipFile(file, "w") as packed:
            for student, owner in sorted(owners.items()):
                page = pages / f"{student.removeprefix(chr(39))}.html"
                packed.write(page, owner.feedback)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror or error})."
        raise TeachingError(message) from error
