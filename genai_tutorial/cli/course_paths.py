"""Paths on the command line that are checked before torch is loaded."""

from collections.abc import Sequence
from pathlib import Path

from .user_errors import WRONG_USE, UserError


def check_paths(chapter: str | None, submissions: Sequence[Path] = ()) -> None:
    """Check that a chapter's notebook, if one is named, and the submissions exist."""
    _check_submissions(submissions)
    if chapter is None:
        return
    folders = [Path(__file__).parents[2] / "notebooks", Path.cwd() / "notebooks"]
    if chapter.isdecimal():
        pattern = f"{int(chapter):02d}_*.ipynb"
        if not any(any(folder.glob(pattern)) for folder in folders):
            places = " or ".join(map(str, dict.fromkeys(folders)))
            raise UserError(
                f"There is no notebook for chapter {chapter} in {places}; run this "
                "from a copy of the book's repository, or give the notebook's path.",
                WRONG_USE,
            )
    elif not chapter.endswith(".ipynb"):
        raise UserError(
            "A chapter is a number such as 4 or the path of a notebook, got "
            f"{chapter!r}.",
            WRONG_USE,
        )
    elif not Path(chapter).is_file():
        raise UserError(f"There is no notebook at {chapter}.", WRONG_USE)


def check_grades(
    grades: Path, submissions: Sequence[Path], table: Path | None = None
) -> None:
    """Check that the folder of grades, the submissions and a platform's table exist."""
    if not (grades / "grades.csv").is_file():
        raise UserError(
            f"{grades} is no folder that grade has written: it has no grades.csv.",
            WRONG_USE,
        )
    _check_submissions(submissions)
    if table is not None and not table.is_file():
        raise UserError(f"There is no table at {table}.", WRONG_USE)


def _check_submissions(submissions: Sequence[Path]) -> None:
    for place in submissions:
        if not place.exists():
            raise UserError(f"There is no submission at {place}.", WRONG_USE)
        if place.is_file() and place.suffix != ".ipynb":
            raise UserError(
                f"{place} is no notebook: give files .ipynb, or folders with some; "
                "unpack an archive first.",
                WRONG_USE,
            )
