"""The folder of grades: a table of points and a page for each student, updated after
each submission, so that an interrupted run can be resumed.
"""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

from genai_tutorial.sandbox import Limits
from genai_tutorial.teaching.exercises import Chapter, TeachingError
from genai_tutorial.teaching.feedback import (
    COLUMNS,
    LOOK,
    feedback_page,
    grade_rows,
    no_formula,
)
from genai_tutorial.teaching.files import check_absent, write_text
from genai_tutorial.teaching.results import Report, Result


class Gradebook:
    """Reads and writes `grades.csv`, `feedback/NAME.html` and `graded.json`.

    A submission counts as graded if `graded.json` contains its fingerprint, the table
    has a row for each exercise, and the folder contains its page. The fingerprint is a
    hash of the submission's file, of the exercises with their tests, and of the limits.
    If any of these has changed, or a row or page was deleted, the submission is graded
    again. Existing rows are kept, including the teacher's entries.

    Args:
        folder: Folder of the files; created if necessary.
        chapter: Chapter to grade.
        limits: Resource limits for the code of one exercise.
        students: Students whose submissions are graded in this run.
        overwrite: Whether to grade all of them again, and to replace files of another
            chapter or another origin.

    Raises:
        TeachingError: If the folder contains grades that do not come from an earlier
            run for this chapter, and `overwrite` is false.
    """

    def __init__(
        self,
        folder: Path,
        chapter: Chapter,
        limits: Limits,
        students: Sequence[str],
        overwrite: bool,
    ) -> None:
        self._folder, self._chapter = folder, chapter
        self._table, self._record = folder / "grades.csv", folder / "graded.json"
        parts = [
            (part.kind, part.grade_id, part.points, part.cell.source)
            for exercise in chapter.exercises
            for part in exercise.parts
        ]
        setup = [exercise.setup for exercise in chapter.exercises]
        self._terms = repr((parts, setup, limits)).encode("utf-8", "backslashreplace")
        self._header, self._rows = list(COLUMNS), []
        self._fingerprints: dict[str, str] = {}
        if self._record.is_file():
            self._read(overwrite)
        else:
            for path in (self._table, *map(self._page, students)):
                check_absent(path, overwrite)
        if overwrite:
            for student in students:
                self._fingerprints.pop(student, None)

    def fingerprint(self, submission: Path) -> str | None:
        """Return a hash of everything that determines the points of a submission, or
        None if it is not a readable file.
        """
        try:
            # a link is not graded, and reading from a pipe would block
            if submission.is_symlink() or not submission.is_file():
                return None
            with submission.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").digest()
        except OSError:
            return None
        return hashlib.sha256(content + self._terms).hexdigest()

    def earlier(self, student: str, path: Path) -> Report | None:
        """Return the recorded results of an earlier graded submission, or None."""
        rows = {row[1]: row for row in self._rows_of(student)}
        if (
            student not in self._fingerprints
            or self._fingerprints[student] != self.fingerprint(path)
            or not all(exercise.name in rows for exercise in self._chapter.exercises)
            or not self._page(student).is_file()
        ):
            return None
        results = []
        for exercise in self._chapter.exercises:
            _, name, points, _, comment, *_ = rows[exercise.name]
            comment, look, attention = comment.partition(LOOK)
            results.append(
                Result(
                    name,
                    exercise.title,
                    _number(points),
                    exercise.points,
                    comment,
                    attention=(attention,) if look else (),
                )
            )
        return Report(student, path, self._chapter.title, tuple(results), ())

    def add(self, report: Report, fingerprint: str | None) -> None:
        """Write a report: first the page, then the rows, then the fingerprint.

        Raises:
            TeachingError: If a file cannot be written.
        """
        if not self._record.is_file():  # from here on, a later run can resume
            self._write_record()
        write_text(self._page(report.student), feedback_page(report))
        own = self._rows_of(report.student)
        kept = [row for row in self._rows if row not in own]
        before = {row[1]: row for row in own}
        new = grade_rows(report)
        for row in new:
            if earlier := before.get(row[1]):
                if earlier[2] not in ("", row[2]):
                    row[4] += f" (Points before: {earlier[2]}.)"
                row += earlier[5:]
        self._rows = sorted([*kept, *new], key=lambda row: row[:1])
        table = io.StringIO()
        csv.writer(table, lineterminator="\n").writerows([self._header, *self._rows])
        write_text(self._table, table.getvalue())
        self._fingerprints.pop(report.student, None)
        if fingerprint is not None and not report.failed:
            self._fingerprints[report.student] = fingerprint
        self._write_record()

    def _write_record(self) -> None:
        record = {"chapter": self._chapter.path.stem, "graded": self._fingerprints}
        write_text(self._record, json.dumps(record, indent=1) + "\n")

    def _page(self, student: str) -> Path:
        return self._folder / "feedback" / f"{student}.html"

    def _rows_of(self, student: str) -> list[list[str]]:
        """Return the student's rows for exercises of this chapter, without rows that a
        teacher has added.
        """
        names = {exercise.name for exercise in self._chapter.exercises}
        return [
            row
            for row in self._rows
            if len(row) >= len(COLUMNS)
            and row[0] == no_formula(student)
            and row[1] in names
        ]

    def _read(self, overwrite: bool) -> None:
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
            header, rows = self._header, []
            if self._table.exists():  # it does not if a run was interrupted early
                text = self._table.read_text(encoding="utf-8-sig")
                header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
            if tuple(header[: len(COLUMNS)]) != COLUMNS:
                raise ValueError("its columns have other names")
            if record["chapter"] != self._chapter.path.stem:
                raise ValueError(f"it is of the chapter {record['chapter']}")
            fingerprints = dict(record["graded"])
        except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
            if overwrite:
                return
            raise TeachingError(
                f"{self._table} is not a table that this run can continue ({error}); "
                "choose another folder, or replace it with --overwrite."
            ) from error
        self._header, self._rows, self._fingerprints = header, rows, fingerprints


def _number(points: str) -> float | None:
    try:
        return float(points)
    except ValueError:  # empty, or a teacher's note
        return None
