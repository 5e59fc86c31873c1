"""The commands for classes: their options and help texts. Their implementations are
imported when a command runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from genai_tutorial.cli.user_errors import NOT_POSSIBLE, WRONG_USE, user_errors

Folder = Annotated[
    Path,
    typer.Option("--to", help="The folder to write to; it is created if necessary."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]


def assign(
    chapter: Annotated[
        str, typer.Argument(help="The chapter's number, or its notebook.")
    ],
    to: Folder,
    overwrite: Overwrite = False,
) -> None:
    """Write the students' version of a chapter, without solutions, hidden tests and
    outputs.

    Example: `genai-tutorial assign 4 --to homework`
    """
    from genai_tutorial import teaching

    with user_errors(teaching.TeachingError, exit_code=WRONG_USE):
        notebook = teaching.find_chapter(chapter)
    with user_errors(teaching.TeachingError, exit_code=NOT_POSSIBLE):
        path = teaching.assign(notebook, to, overwrite=overwrite)
    print(
        f"The release is {path}. Students hand in this notebook; grade it with: "
        "genai-tutorial grade"
    )


def grade(
    chapter: Annotated[
        str,
        typer.Argument(help="The chapter's number, or its notebook with solutions."),
    ],
    submissions: Annotated[
        list[Path],
        typer.Argument(help="Students' notebooks, or folders with notebooks."),
    ],
    to: Folder = Path("grades"),
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help=("Grade all submissions again and replace existing grades."),
        ),
    ] = False,
    unprotected: Annotated[
        bool,
        typer.Option(
            "--unprotected",
            help="Run students' code even where this system cannot keep it in.",
        ),
    ] = False,
) -> None:
    """Grade students' notebooks and write a table of points and a page of feedback for
    each student.

    Students' code runs in separate processes, with limits on time and memory and
    without network access. The tests are taken from the chapter, not from the
    submission. Open questions are left for you.

    Points and feedback are written after each notebook. If you run the command again,
    it grades only notebooks that are new or have changed, and keeps your own entries in
    the table.

    Examples to try:
    - `genai-tutorial grade 4 ada.ipynb` grades one notebook
    - `genai-tutorial grade 4 submissions --to grades` grades all notebooks in a folder
      and writes `grades/grades.csv`
    """
    from genai_tutorial.cli.classroom import grade_submissions

    grade_submissions(chapter, submissions, to, overwrite, unprotected)
