"""The commands `chapters`, `execute`, `renumber`, `grade`, `gradebook` and `slides`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from genai_tutorial import teaching
from genai_tutorial.notebook import (
    Chapter,
    ExecutionError,
    chapters,
    execute,
    find_repository,
    renumber,
    spoken_seconds,
    unnumbered_pages,
)

from .user_errors import NOT_POSSIBLE, WRONG_USE, UserError, user_errors


def print_chapters() -> None:
    """Print a table of the chapters that exist."""
    names = ("", "Chapter", "Package rooms", "Extras", "To read", "To run")
    table = Table(*names, box=None, pad_edge=False)
    for chapter in _chapters():
        table.add_row(
            str(chapter.number),
            chapter.title,
            ", ".join(chapter.rooms),
            ", ".join(chapter.extras),
            f"{chapter.reading_minutes} min",
            spoken_seconds(chapter.running_seconds),
        )
    Console().print(table)


def execute_notebooks(names: Sequence[str], jobs: int) -> None:
    """Execute the notebooks with these numbers or paths, or all of the book."""
    paths = [_notebook(name) for name in names] or [
        *(chapter.path for chapter in _chapters()),
        *unnumbered_pages(),
    ]
    with user_errors(ExecutionError, ValueError, exit_code=NOT_POSSIBLE):
        execute(paths, jobs=jobs)


def renumber_notebook(name: str) -> None:
    """Renumber the figures and equations of one notebook, and print what changed."""
    path = _notebook(name)
    root = path.resolve().parents[1]
    pages = [*path.parent.glob("*.ipynb"), *(root / "book").glob("*.md")]
    with user_errors(ValueError, exit_code=NOT_POSSIBLE):
        changed = renumber(path, pages)
    for old, new in changed.items():
        print(f"{old} is now {new}")
    if not changed:
        print("All numbers are in order.")


def _chapters() -> list[Chapter]:
    with user_errors(FileNotFoundError, ValueError, exit_code=NOT_POSSIBLE):
        found = chapters()
    if not found:
        raise UserError("The folder notebooks has no chapter yet.", NOT_POSSIBLE)
    return found


def _notebook(name: str) -> Path:
    path = Path(name)
    if name.isdecimal():
        numbers = {chapter.number: chapter.path for chapter in _chapters()}
        if int(name) not in numbers:
            there = f"the chapters here are {', '.join(map(str, numbers))}"
            raise UserError(f"There is no chapter {int(name)}; {there}.", WRONG_USE)
        return numbers[int(name)]
    if path.suffix != ".ipynb" or not path.is_file():
        raise UserError(
            f"There is no notebook {name!r}; give a chapter's number or a file .ipynb.",
            WRONG_USE,
        )
    return path


def grade_submissions(
    chapter: str,
    submissions: Sequence[Path],
    folder: Path,
    versions: dict,
    overwrite: bool,
    unprotected: bool,
) -> None:
    """Grade, write the files, and print the points; `versions` has seed and roster."""
    with user_errors(teaching.TeachingError, exit_code=WRONG_USE):
        notebook = teaching.find_chapter(chapter)
        teaching.find_submissions(submissions, notebook.stem)
    with user_errors(teaching.TeachingError, exit_code=NOT_POSSIBLE):
        reports = teaching.grade(
            notebook,
            submissions,
            folder,
            **versions,
            overwrite=overwrite,
            unprotected=unprotected,
        )
    names = ("Student", "Points", "Waiting for you", "Please look at")
    table = Table(*names, box=None, pad_edge=False)
    for report in reports:
        look = ", ".join(one.exercise for one in report.results if one.attention)
        points = f"{report.points:g} of {report.max_points:g}"
        table.add_row(report.student, points, f"{report.waiting:g}", look)
    Console().print(table)
    # submissions that were graded in an earlier run have no report
    protections = max((report.protections for report in reports), key=len, default=())
    enforced = [str(one) for one in protections if one.enforced]
    if enforced:
        print(f"While it ran: {'; '.join(enforced)}.")
    lines = (line for report in reports for line in report.unprotected)
    for line in dict.fromkeys(lines):
        print(f"This system could not enforce: {line}", file=sys.stderr)
    if known := sum(not report.protections for report in reports):
        print(
            f"{known} of {len(reports)} were graded before and have not changed since; "
            "--overwrite grades them again."
        )
    print(
        f"The points are in {folder / 'grades.csv'}, the feedback for students in "
        f"{folder / 'feedback'}."
    )


def write_gradebook(
    grades: Path,
    folder: Path,
    submissions: Sequence[Path],
    table: Path | None,
    column: str | None,
    allow_missing: bool,
    overwrite: bool,
) -> None:
    """Write the totals, and print where they are and who got none."""
    rules = {"allow_missing": allow_missing, "overwrite": overwrite}
    with user_errors(teaching.TeachingError, exit_code=NOT_POSSIBLE):
        if table is None:
            path = teaching.write_students(grades, folder, **rules)
            print(f"The points of each student are in {path}.")
            return
        unknown = teaching.write_upload(
            grades, folder, submissions, table, column, **rules
        )
    if unknown:
        print(f"No row was filled for {', '.join(unknown)}.", file=sys.stderr)
    print(
        f"Upload {folder / table.name}, and the feedback in {folder / 'feedback.zip'}."
    )


def make_slides(chapter: str | None, target: Path, overwrite: bool) -> None:
    """Write the slides of one chapter or of all, and print where they are."""
    with user_errors(teaching.TeachingError, FileNotFoundError, exit_code=NOT_POSSIBLE):
        if chapter is not None:
            if not target.suffix:
                target /= f"{teaching.find_chapter(chapter).stem}.html"
            path = teaching.write_slides(chapter, target, overwrite=overwrite)
            print(f"The slides are in {path}. Open it in a browser.")
            return
        written = teaching.write_all_slides(find_repository(), target)
    count = f"{len(written)} decks are" if len(written) != 1 else "1 deck is"
    print(f"{count} in {target}. Open {target / 'index.html'}.")
