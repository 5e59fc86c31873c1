"""The files of learning platforms: who handed in what in a download from Canvas or
Moodle, and tables of grades that they read.

The formats follow the platforms' sources: `content_zipper.rb` and
`gradebook_importer.rb` of Canvas, and `importziplib.php` and `importgradeslib.php` of
Moodle.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .exercises import TeachingError

# name without separators, LATE, number of the user or anon_CODE, number of the file
_CANVAS = re.compile(
    r"(?P<name>\w*?)_?(?:LATE_)?(?P<id>\d+|anon_\w+?)_(?P<file>\d+)_.+\.ipynb"
)
# full name, number of the participant; before Moodle 4.1 with another underscore
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_file_?")


@dataclass(frozen=True)
class Owner:
    """The student who handed in a file of a download, and how the platform names it."""

    platform: str
    id: str
    name: str
    feedback: str  # where the platform expects the student's feedback page
    file: int = 0  # number of a file from Canvas; a later one has a larger number


def owner_of(path: Path) -> Owner | None:
    """Return the student of a file in an unpacked download, or None if its name and
    folders have neither platform's form.

    >>> owner_of(Path("lovelaceada_LATE_1234_567890_04_model-2.ipynb")).id
    '1234'
    """
    for folder in path.parts[:-1]:
        if found := _MOODLE.fullmatch(folder):
            page = f"{folder}/feedback.html"
            return Owner("Moodle", found["id"], found["name"], page)
    if found := _CANVAS.fullmatch(path.name):
        page = f"{path.name[: found.end('file')]}_feedback.html"
        file = int(found["file"])
        return Owner("Canvas", found["id"], found["name"], page, file)
    return None


def canvas_table(
    exported: str, points: Mapping[str, float], column: str
) -> tuple[str, list[str]]:
    """Fill an assignment's column of a gradebook exported from Canvas with points by
    number of the user; return it with the numbers that it has no row for.
    """
    # Canvas finds students by ID, the assignment by the number in brackets, and its
    # maximum in the row "Points Possible", so these stay; EX is a student's exemption.
    header, *rows = _rows(exported)
    if header[:2] != ["Student", "ID"] or "Section" not in header:
        raise TeachingError(
            "This is not a gradebook exported from Canvas: its columns must begin with "
            "Student and ID, be separated by commas, and include Section."
        )
    last = header.index("Section")
    titles = {n: header[n] for n in range(last + 1, len(header))}
    found = [
        n
        for n, title in titles.items()
        if column in (title, re.sub(r" \(\d+\)$", "", title))
    ]
    if len(found) != 1:
        there = [title for title in titles.values() if title.endswith(")")]
        raise TeachingError(
            f"{len(found)} assignments have the title {column!r}; this gradebook has "
            f"{', '.join(there) or 'none'}."
        )
    left, table = dict(points), []
    for row in [header, *rows]:
        kept = [row[n] if n < len(row) else "" for n in (*range(last + 1), found[0])]
        if kept[1] in left:
            given = f"{left.pop(kept[1]):g}"
            kept[-1] = kept[-1] if kept[-1] == "EX" else given
        table.append(kept)
    return _text(table), sorted(left)


def moodle_table(worksheet: str, points: Mapping[str, float]) -> tuple[str, list[str]]:
    """Fill the column `Grade` of a worksheet from Moodle with points by number of the
    participant; return it with the numbers that it has no row for.
    """
    # Moodle finds students by Identifier, and skips a row that was graded after the
    # time in "Last modified (grade)", so these stay.
    header, *rows = _rows(worksheet)
    for name in ("Identifier", "Grade", "Last modified (grade)"):
        if name not in header:
            raise TeachingError(
                f"This is not a grading worksheet from Moodle: it has no column {name}."
                " Download it with Moodle set to English, separated by commas."
            )
    identifier, grade = header.index("Identifier"), header.index("Grade")
    left = dict(points)
    for row in rows:
        number = re.sub(r"\D+", "", row[identifier]) if len(row) > grade else ""
        if number in left:
            row[grade] = f"{left.pop(number):.2f}"
    return _text([header, *rows]), sorted(left)


def _rows(text: str) -> list[list[str]]:
    try:
        table = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), strict=True)
        rows = list(table)
    except csv.Error as error:
        raise TeachingError(f"The table cannot be read ({error}).") from error
    if not rows:
        raise TeachingError("The table is empty.")
    return rows


def _text(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
