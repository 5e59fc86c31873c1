"""The commands `chapters` and `execute`."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from genai_tutorial.cli.user_errors import (
    NOT_POSSIBLE,
    WRONG_USE,
    UserError,
    user_errors,
)
from genai_tutorial.notebook import (
    Chapter,
    ExecutionError,
    chapters,
    execute,
    spoken_seconds,
    unnumbered_pages,
)


def print_chapters() -> None:
    """Print a table of the chapters that exist."""
    table = Table(
        "",
        "Chapter",
        "Package rooms",
        "Extras",
        "To read",
        "To run",
        box=None,
        pad_edge=False,
    )
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
            there = ", ".join(map(str, numbers))
            raise UserError(
                f"There is no chapter {int(name)}; the chapters here are {there}.",
                WRONG_USE,
            )
        return numbers[int(name)]
    if path.suffix != ".ipynb" or not path.is_file():
        raise UserError(
            f"There is no notebook {name!r}; give a chapter's number or a file .ipynb.",
            WRONG_USE,
        )
    return path
