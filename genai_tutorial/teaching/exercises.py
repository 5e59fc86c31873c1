"""The exercises of a chapter, read from the instructor's notebook: given code,
solutions and tests.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genai_tutorial.runtime import require

_HEADING = re.compile(r"^#{1,3} +(?P<text>.+?)\s*$", re.MULTILINE)
# comments in code are not headings
_CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_EXERCISE = re.compile(
    r"^Exercise +(?P<name>\S+?)[.:]?(?: +[·:–-] *| +)(?P<title>.*?)(?: *\([^()]*\))?$"
)


class TeachingError(Exception):
    """Raised for a problem that the teacher can fix; the message states it in a
    sentence."""


@dataclass(frozen=True)
class Part:
    """One cell of an exercise, with its role.

    `given` cells contain locked code, students write the `solution`, `tests` grade it,
    and a person reads an `open` answer.
    """

    kind: Literal["given", "solution", "tests", "open"]
    grade_id: str
    points: float
    cell: dict


@dataclass(frozen=True)
class Exercise:
    """One exercise: number, title, cells in order, and the set-up code that runs before
    them.
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    setup: tuple[str, ...]

    @property
    def points(self) -> float:
        """The maximum number of points."""
        return sum((part.points for part in self.parts), 0.0)

    @property
    def is_open(self) -> bool:
        """Whether a person grades the exercise."""
        return any(part.kind == "open" for part in self.parts)

    def of_kind(self, kind: str) -> tuple[Part, ...]:
        """Return the cells with one role."""
        return tuple(part for part in self.parts if part.kind == kind)


@dataclass(frozen=True)
class Chapter:
    """The instructor's notebook of a chapter, with its exercises."""

    path: Path
    notebook: dict
    title: str
    exercises: tuple[Exercise, ...]


def find_chapter(chapter: str | int | Path) -> Path:
    """Find the notebook of a chapter, given its number or a path.

    A number is looked up in the folder `notebooks` of the repository that this package
    was installed from, then in the current folder's `notebooks`.

    Raises:
        TeachingError: If there is no such notebook, or more than one.
    """
    path = Path(chapter) if isinstance(chapter, Path) else Path(str(chapter))
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise TeachingError(f"There is no notebook at {path}.")
        return path
    if not str(chapter).isdecimal():
        raise TeachingError(
            "A chapter is a number such as 4 or the path of a notebook, got "
            f"{str(chapter)!r}."
        )
    number = int(str(chapter))
    folders = [
        Path(__file__).resolve().parents[2] / "notebooks",
        Path.cwd() / "notebooks",
    ]
    for folder in folders:
        found = sorted(folder.glob(f"{number:02d}_*.ipynb"))
        if len(found) == 1:
            return found[0]
        if found:
            raise TeachingError(
                f"{folder} holds {len(found)} notebooks for chapter {number}; give the "
                "path of one."
            )
    raise TeachingError(
        f"There is no notebook for chapter {number} in "
        f"{' or '.join(map(str, dict.fromkeys(folders)))}; "
        "run this from a copy of the book's repository, or give the notebook's path."
    )


def read_chapter(chapter: str | int | Path) -> Chapter:
    """Read a chapter's notebook and the exercises in it.

    Raises:
        TeachingError: If the notebook is missing or unreadable, has no exercises, or
            has one that cannot be graded.
    """
    path = find_chapter(chapter)
    nbformat = require("nbformat", "teach")
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:
        raise TeachingError(
            f"{path} cannot be read as a notebook ({error})."
        ) from error
    title = next(iter(_headings(notebook.cells)), path.stem)
    exercises = _exercises(notebook.cells, path.name)
    if not exercises:
        raise TeachingError(
            f"{path.name} has no exercises: no cell carries nbgrader's metadata."
        )
    return Chapter(path.resolve(), notebook, title, exercises)


def _headings(cells: list) -> list[str]:
    texts = [
        _CODE_BLOCK.sub("", cell.source)
        for cell in cells
        if cell.cell_type == "markdown"
    ]
    return [match["text"] for text in texts for match in _HEADING.finditer(text)]


def _exercises(cells: list, where: str) -> tuple[Exercise, ...]:
    """Group the graded cells by the heading above them."""
    groups: list[tuple[str, str, list[Part], tuple[str, ...]]] = []
    setup: list[str] = []
    heading, seen = "", set()
    for cell in cells:
        if cell.cell_type == "code" and "exercise-setup" in cell.metadata.get(
            "tags", []
        ):
            setup.append(cell.source)
        elif "nbgrader" in cell.metadata and (part := _part(cell, where)):
            if part.grade_id in seen:
                raise TeachingError(
                    f"{where} has two cells with the id {part.grade_id}; each needs "
                    "its own."
                )
            seen.add(part.grade_id)
            if not groups or groups[-1][0] != heading:
                groups.append((heading, part.grade_id, [], ()))
            groups[-1] = (*groups[-1][:2], [*groups[-1][2], part], tuple(setup))
        elif cell.cell_type == "markdown" and (found := _headings([cell])):
            heading = found[-1]
    made = []
    for text, first_id, parts, code in groups:
        match = _EXERCISE.match(text)
        name, title = (match["name"], match["title"]) if match else (first_id, text)
        made.append(_checked(Exercise(name, title, tuple(parts), code), where))
    return tuple(exercise for exercise in made if exercise.points)


def _part(cell: dict, where: str) -> Part | None:
    """Read one cell's nbgrader metadata; return `None` for locked text."""
    marks = cell.metadata.nbgrader
    grade_id = str(marks.get("grade_id", ""))
    grade, solution = bool(marks.get("grade")), bool(marks.get("solution"))
    points = float(marks.get("points", 0)) if grade else 0.0
    if grade and solution:
        return Part("open", grade_id, points, cell)
    if cell.cell_type != "code":
        if grade or solution:
            raise TeachingError(
                f"The cell {grade_id} of {where} must be code: only an open question "
                "is text."
            )
        return None
    return Part(
        "tests" if grade else "solution" if solution else "given",
        grade_id,
        points,
        cell,
    )


def _checked(exercise: Exercise, where: str) -> Exercise:
    tests, solutions, answers = (
        len(exercise.of_kind(kind)) for kind in ("tests", "solution", "open")
    )
    if bool(tests) != bool(solutions) or (tests and answers):
        raise TeachingError(
            f"Exercise {exercise.name} of {where} has {solutions} solution cells, "
            f"{tests} test cells and {answers} "
            "open answers under its heading; it needs a solution and its tests, or an "
            "open answer alone."
        )
    return exercise
