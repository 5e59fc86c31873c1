"""The exercises of a chapter, read from the instructor's notebook, and its release for
students: the notebook without solutions, hidden tests and outputs.
"""

import copy
import logging
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genai_tutorial.runtime import (
    repository_address,
    repository_branch,
    require,
    write_atomically,
)

_HEADING = re.compile(r"^#{1,3} +(?P<text>.+?)\s*$", re.MULTILINE)
# comments in code are not headings
_CODE_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_EXERCISE = re.compile(
    r"^Exercise +(?P<name>\S+?)[.:]?(?: +[·:–-] *| +)(?P<title>.*?)(?: *\([^()]*\))?$"
)
# The steps of `nbgrader generate_assignment`, in the same order, without those that
# need a database.
_STEPS = ("LockCells", "ClearSolutions", "ClearOutput", "ClearHiddenTests")
_STEPS += ("ClearMarkScheme", "ComputeChecksums")
_MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
_NOTE = (
    "\n\n*Run All* stops at the first exercise that has no answer yet: answer it, or "
    "go on with the cell below it."
)
_BADGE = re.compile(
    r"\[!\[[^\]]*\]\([^)]*\)\]\(https://colab\.research\.google\.com/[^)]*\)[ \t]*\n?"
)
_LINK = re.compile(
    r"(?P<mark>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)"
)


class TeachingError(Exception):
    """Raised for a problem that the teacher can fix; the message says which."""


@dataclass(frozen=True)
class ExerciseCell:
    """One cell of an exercise, with its role."""

    # locked code, what students write, what grades it, or what a person reads
    kind: Literal["given", "solution", "tests", "open"]
    grade_id: str
    points: float
    cell: dict


@dataclass(frozen=True)
class GradedExercise:
    """One exercise, with the set-up code that runs before its cells."""

    name: str
    title: str
    parts: tuple[ExerciseCell, ...]
    setup: tuple[str, ...]

    @property
    def points(self) -> float:
        """The maximum number of points."""
        return sum((part.points for part in self.parts), 0.0)

    @property
    def is_open(self) -> bool:
        """True if a person grades the exercise."""
        return any(part.kind == "open" for part in self.parts)

    def of_kind(self, kind: str) -> tuple[ExerciseCell, ...]:
        """Return the cells with one role."""
        return tuple(part for part in self.parts if part.kind == kind)


@dataclass(frozen=True)
class CourseChapter:
    """The instructor's notebook of a chapter, with its exercises."""

    path: Path
    notebook: dict
    title: str
    exercises: tuple[GradedExercise, ...]


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
    here = Path(__file__).resolve().parents[2]
    folders = list(dict.fromkeys(place / "notebooks" for place in (here, Path.cwd())))
    for folder in folders:
        found = sorted(folder.glob(f"{int(str(chapter)):02d}_*.ipynb"))
        if len(found) == 1:
            return found[0]
        if found:
            raise TeachingError(
                f"{folder} holds {len(found)} notebooks for chapter {chapter}; give "
                "the path of one."
            )
    raise TeachingError(
        f"There is no notebook for chapter {chapter} in "
        f"{' or '.join(map(str, folders))}; run this from a copy of the book's "
        "repository, or give the notebook's path."
    )


def read_chapter(chapter: str | int | Path) -> CourseChapter:
    """Read a chapter's notebook and the exercises in it."""
    path = find_chapter(chapter)
    nbformat = require("nbformat", "teach")
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat reports a damaged file in many ways
        raise TeachingError(
            f"{path} cannot be read as a notebook: restore it, or give another."
        ) from error
    title = next(iter(_headings(notebook.cells)), path.stem)
    exercises = group_exercises(notebook.cells, path.name)
    if not exercises:
        raise TeachingError(
            f"{path.name} has no exercises: no cell carries nbgrader's metadata."
        )
    return CourseChapter(path.resolve(), notebook, title, exercises)


def _headings(cells: list) -> list[str]:
    markdown = [cell.source for cell in cells if cell.cell_type == "markdown"]
    texts = [_CODE_BLOCK.sub("", source) for source in markdown]
    return [match["text"] for text in texts for match in _HEADING.finditer(text)]


def group_exercises(cells: list, where: str) -> tuple[GradedExercise, ...]:
    """Group the graded cells by the heading above them."""
    groups: list[tuple[str, str, list[ExerciseCell], tuple[str, ...]]] = []
    setup: list[str] = []
    heading, seen = "", set()
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "exercise-setup" in tags:
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
        made.append(_checked(GradedExercise(name, title, tuple(parts), code), where))
    return tuple(exercise for exercise in made if exercise.points)


def _part(cell: dict, where: str) -> ExerciseCell | None:
    """Read one cell's nbgrader metadata; return `None` for locked text."""
    marks = cell.metadata.nbgrader
    grade_id = str(marks.get("grade_id", ""))
    grade, solution = bool(marks.get("grade")), bool(marks.get("solution"))
    points = float(marks.get("points", 0)) if grade else 0.0
    if grade and solution:
        return ExerciseCell("open", grade_id, points, cell)
    if cell.cell_type != "code":
        if grade or solution:
            raise TeachingError(
                f"The cell {grade_id} of {where} must be code: only an open question "
                "is text."
            )
        return None
    kind = "tests" if grade else "solution" if solution else "given"
    return ExerciseCell(kind, grade_id, points, cell)


def _checked(exercise: GradedExercise, where: str) -> GradedExercise:
    tests, solutions, answers = (
        len(exercise.of_kind(kind)) for kind in ("tests", "solution", "open")
    )
    if bool(tests) != bool(solutions) or (tests and answers):
        raise TeachingError(
            f"Exercise {exercise.name} of {where} has {solutions} solution cells, "
            f"{tests} test cells and {answers} open answers under its heading; it "
            "needs a solution and its tests, or an open answer alone."
        )
    return exercise


def release(notebook: dict) -> dict:
    """Create the students' version of a chapter with nbgrader's own steps."""
    # Solution cells are unfolded, so that students see where to write. The Colab badge
    # goes, because it opens the chapter with its solutions.
    preprocessors = require("nbgrader.preprocessors", "teach")
    notebook = copy.deepcopy(notebook)
    first = next((c for c in notebook.cells if c.cell_type == "markdown"), None)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source += _NOTE if cell is first else ""
            cell.source = _with_web_addresses(_BADGE.sub("", cell.source))
        if cell.metadata.get("nbgrader", {}).get("solution"):
            _unfold(cell)
    resources: dict = {}
    for step in _STEPS:
        preprocessor = getattr(preprocessors, step)()
        preprocessor.log = logging.getLogger("genai_tutorial.teaching.nbgrader")
        try:
            notebook, resources = preprocessor.preprocess(notebook, resources)
        except (RuntimeError, ValueError) as error:
            message = f"nbgrader cannot make a release of this notebook: {error}."
            raise TeachingError(message) from error
    for cell in notebook.cells:
        if left := [marker for marker in _MARKERS if marker in cell.source]:
            raise TeachingError(
                f"A cell still says {left[0]!r} in the release; see that each BEGIN "
                "has its END."
            )
    notebook.metadata.pop("widgets", None)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata.setdefault("kernelspec", kernel)
    notebook.metadata["colab"] = {"provenance": []}
    return notebook


def _unfold(cell: dict) -> None:
    cell.metadata.pop("mystnb", None)
    cell.metadata.pop("jupyter", None)
    tags = [tag for tag in cell.metadata.get("tags", []) if not tag.startswith("hide-")]
    cell.metadata.pop("tags", None)
    if tags:
        cell.metadata["tags"] = tags


def _with_web_addresses(text: str) -> str:
    def address(match: re.Match) -> str:
        target = match["target"]
        # a web address, an anchor on the page, or not a link
        if not re.match(r"(\.\./|[\w./-]+\.\w+(#|$))", target):
            return match[0]
        path = posixpath.normpath(posixpath.join("notebooks", target))
        kind = "raw" if match["mark"] else "blob"
        start = f"{repository_address()}/{kind}/{repository_branch()}"
        return f"{match['mark']}[{match['text']}]({start}/{path})"

    return _LINK.sub(address, text)


def read_table(path: Path) -> str:
    """Read a table that a person has saved."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise TeachingError(f"There is no table at {path}.") from error
    except (OSError, UnicodeError) as error:
        raise TeachingError(
            f"{path} cannot be read as UTF-8 text: save it as CSV in UTF-8."
        ) from error


def check_absent(path: Path, overwrite: bool) -> None:
    """Refuse to replace an existing file, unless the teacher wants it."""
    if path.is_dir():
        raise TeachingError(f"{path} is a folder; choose another name for the file.")
    if path.exists() and not overwrite:
        raise TeachingError(
            f"{path} exists already; choose another name or folder, or replace it with "
            "--overwrite."
        )


def write_text(path: Path, text: str) -> Path:
    """Write a file atomically."""
    try:
        with write_atomically(path, "w") as file:
            file.write(text)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror or error})."
        if files := [place for place in path.parents if place.is_file()]:
            message = f"{files[0]} is a file and no folder; choose another folder."
        raise TeachingError(message) from error
    return path
