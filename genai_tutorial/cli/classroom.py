"""The command `grade`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from genai_tutorial import teaching
from genai_tutorial.cli.user_errors import NOT_POSSIBLE, WRONG_USE, user_errors


def grade_submissions(
    chapter: str,
    submissions: Sequence[Path],
    folder: Path,
    overwrite: bool,
    unprotected: bool,
) -> None:
    """Grade, write the files, and print the points."""
    with user_errors(teaching.TeachingError, exit_code=WRONG_USE):
        notebook = teaching.find_chapter(chapter)
        teaching.find_submissions(submissions, notebook.stem)
    with user_errors(teaching.TeachingError, exit_code=NOT_POSSIBLE):
        reports = teaching.grade(
            notebook,
            submissions,
            folder,
            overwrite=overwrite,
            unprotected=unprotected,
        )
    table = Table(
        "Student",
        "Points",
        "Waiting for you",
        "Please look at",
        box=None,
        pad_edge=False,
    )
    for report in reports:
        look = ", ".join(
            result.exercise for result in report.results if result.attention
        )
        table.add_row(
            report.student,
            f"{report.points:g} of {report.max_points:g}",
            f"{report.waiting:g}",
            look,
        )
    Console().print(table)
    enforced = [
        str(protection)
        # submissions that were graded in an earlier run have no report
        for protection in max(
            (report.protections for report in reports), key=len, default=()
        )
        if protection.enforced
    ]
    if enforced:
        print(f"While it ran: {'; '.join(enforced)}.")
    for line in dict.fromkeys(
        line for report in reports for line in report.unprotected
    ):
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
