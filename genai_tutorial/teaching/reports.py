"""The results of grading, a page of feedback for each student, and the folder of
grades, from which an interrupted run can be resumed.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from genai_tutorial.sandbox import Protection

from .exercises import CourseChapter, TeachingError, check_absent, write_text
from .sandbox import Limits

COLUMNS = ("student", "exercise", "points", "max", "comment")
LOOK = " PLEASE LOOK AT THIS CELL: "
_LONGEST_COMMENT = 5_000  # a spreadsheet cell holds at most 32,767 characters

_PAGE = Template((Path(__file__).parent / "feedback.html").read_text("utf-8"))
_MISSING = (
    '<p class="none"><strong>This system could not enforce everything:</strong></p>'
    "<ul>{}</ul>"
)
# Control characters other than tab and line break, surrogates (which UTF-8 cannot
# encode), bidirectional control characters, and two code points that are not
# characters.
_ILLEGIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)


@dataclass(frozen=True)
class Result:
    """The result of one exercise."""

    exercise: str
    title: str
    points: float | None  # None if a person gives them
    max_points: float
    comment: str
    # what the teacher should read before trusting the points
    attention: tuple[str, ...] = ()
    answer: str = ""
    output: str = ""
    failed: bool = False  # the grader itself, so that it should try again


@dataclass(frozen=True)
class Report:
    """A student's results, and the protections that the sandbox enforced meanwhile."""

    student: str
    chapter: str
    results: tuple[Result, ...]
    protections: tuple[Protection, ...]

    @property
    def points(self) -> float:
        """The points from tests so far."""
        return sum((result.points or 0.0 for result in self.results), 0.0)

    @property
    def max_points(self) -> float:
        """The maximum number of points, including those that a person gives."""
        return sum((result.max_points for result in self.results), 0.0)

    @property
    def waiting(self) -> float:
        """The maximum number of points that a person still has to decide on."""
        return sum(
            (result.max_points for result in self.results if result.points is None), 0.0
        )

    @property
    def failed(self) -> bool:
        """True if the grader failed on some exercise."""
        return any(result.failed for result in self.results)

    @property
    def unprotected(self) -> tuple[str, ...]:
        """The protections that this system could not enforce."""
        return tuple(found.name for found in self.protections if not found.enforced)


def feedback_page(report: Report) -> str:
    """Return a student's feedback as a self-contained HTML file that runs no code."""
    name, rest = _html(report.student), report.waiting
    waiting = f", and up to {rest:g} more from a person" if rest else ""
    missing = "".join(f"<li>{_html(line)}</li>" for line in report.unprotected)
    if missing:
        missing = _MISSING.format(missing)
    return _PAGE.substitute(
        name=name,
        chapter=_html(report.chapter),
        points=f"{report.points:g} of {report.max_points:g} points{waiting}",
        results="".join(map(_section, report.results)),
        missing=missing,
    )


def grade_rows(report: Report) -> list[list[str]]:
    """Return a student's rows of the table."""
    rows = []
    for result in report.results:
        look = f"{LOOK}{'; '.join(result.attention)}." if result.attention else ""
        points = "" if result.points is None else f"{result.points:g}"
        comment = legible(result.comment, _LONGEST_COMMENT)
        row = [
            report.student,
            result.exercise,
            points,
            f"{result.max_points:g}",
            comment + legible(look, _LONGEST_COMMENT),
        ]
        rows.append([no_formula(legible(cell)) for cell in row])
    return rows


def _section(result: Result) -> str:
    most = f"{result.max_points:g}"
    if result.points is None:
        kind, points = "wait", f"waits for a person (up to {most} points)"
    else:
        kind = "part" if result.points else "none"
        kind = "full" if result.points == result.max_points else kind
        points = f"{result.points:g} of {most} points"
    parts = [
        f"<h2>Exercise {_html(result.exercise)}: {_html(result.title)}</h2>",
        f'<p class="{kind}"><strong>{points}</strong></p>',
        f"<p>{_html(result.comment)}</p>",
    ]
    texts = {"Your answer": result.answer, "What your cell printed": result.output}
    for title, text in texts.items():
        if text.strip():
            shown = f"<summary>{title}</summary>\n<pre>{_html(text)}</pre>"
            parts.append(f"<details>{shown}\n</details>")
    return "<section>\n" + "\n".join(parts) + "\n</section>\n"


def _html(text: str) -> str:
    return escape(legible(text))


def no_formula(cell: str) -> str:
    """Put an apostrophe in front of what a spreadsheet would run as a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def legible(text: str, longest: int | None = None) -> str:
    r"""Replace characters that cannot be displayed, or that would mislead, by escapes,
    and keep the first `longest`.

    >>> legible("a\x00b\ud800")
    'a\\u0000b\\ud800'
    >>> legible("spam " * 3, longest=6)
    'spam s ... (9 more characters)'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _ILLEGIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    if longest is None or len(text) <= longest:
        return text
    return f"{text[:longest]} ... ({len(text) - longest:,} more characters)"


class Gradebook:
    """Reads and writes a folder's `grades.csv`, `feedback/NAME.html`, `graded.json`."""

    # A submission counts as graded if its fingerprint is recorded, the table has a row
    # for each exercise, and the folder contains its page.

    def __init__(
        self,
        folder: Path,
        chapter: CourseChapter,
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
        """Return a hash of all that determines the points, or None without a file."""
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
            seen = (attention,) if look else ()
            result = Result(
                name, exercise.title, _number(points), exercise.points, comment, seen
            )
            results.append(result)
        return Report(student, self._chapter.title, tuple(results), ())

    def add(self, report: Report, fingerprint: str | None) -> None:
        """Write a report: first the page, then the rows, then the fingerprint."""
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
                table = io.StringIO(text, newline="")
                header, *rows = [*csv.reader(table, strict=True)] or [[]]
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
