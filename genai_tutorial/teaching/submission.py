"""Students' submissions: finding them in files and folders, and reading them safely."""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from genai_tutorial.runtime import require

from .exercises import TeachingError
from .platforms import owner_of

_LARGEST_FILE = 50 << 20
_LONGEST_CELL = 100_000
_LONGEST_OLD_FILE = 1 << 20  # characters, without outputs: nbformat is slow
_LONGEST_NAME = 200  # bytes; with `.html` added, it must be a valid file name
_NO_SOURCE = re.compile("[\x00\ud800-\udfff]")  # not allowed in Python source


@dataclass(frozen=True)
class Submission:
    """A student's notebook, reduced to the cells that are graded."""

    student: str
    # type and text of the cells with an nbgrader id
    cells: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    problem: str = ""  # why it could not be read

    def answer(self, grade_id: str, cell_type: str) -> tuple[str | None, str]:
        """Return the student's text for one cell, and a remark on how it was found. If
        a cell was copied, so that several have the same id, the last one counts.
        """
        cells = self.cells.get(grade_id, [])
        found = [text for kind, text in cells if kind == cell_type]
        remark = ""
        if not found:
            remark = (
                f"The notebook has no {cell_type} cell with the id {grade_id}, so "
                "there was nothing to grade."
            )
        elif len(found[-1]) > _LONGEST_CELL:
            remark = (
                f"The cell {grade_id} has more than {_LONGEST_CELL:,} characters, so "
                "it was not run."
            )
        elif cell_type == "code" and (wrong := _NO_SOURCE.search(found[-1])):
            remark = (
                f"The cell {grade_id} has a character that Python cannot read "
                f"(U+{ord(wrong[0]):04X}), so it was not run."
            )
        if remark:
            return None, remark
        if len(found) > 1:
            remark = (
                f"{len(found)} cells carry the id {grade_id}; the last one was graded."
            )
        return found[-1], remark


def find_submissions(
    places: Sequence[str | Path], chapter: str
) -> list[tuple[str, Path]]:
    """Find the notebooks in files and folders, with a student's name for each.

    The name is the file's. If the file is named like the chapter, whose file name
    without `.ipynb` is given, it is the name of the folder:
    `ada/04_transformer/04_transformer.ipynb`, as nbgrader collects it, belongs to ada.
    In a download from Canvas or Moodle, name and number of the student are taken from
    the file's or the folder's name; of several files from Canvas, the latest counts.

    Raises:
        TeachingError: If a path does not exist, or a folder contains no notebook.

    Warns:
        UserWarning: If a folder cannot be read, or if two notebooks would have the same
            name; the name of one of them then ends with a hash of its path.
    """
    found: dict[str, list[Path]] = {}
    for place in map(Path, places):
        if not place.exists():
            raise TeachingError(f"There is no submission at {place}.")
        notebooks = [place] if place.is_file() else _notebooks(place)
        if not notebooks and (os.access(place, os.R_OK) or len(places) == 1):
            raise TeachingError(f"The folder {place} holds no notebook.")
        for path in notebooks:
            same = found.setdefault(legal_name(_student(path, chapter)), [])
            real = os.path.realpath(path)
            if real not in map(os.path.realpath, same):
                same.append(path)
    for student, paths in found.items():
        found[student] = _latest(student, paths)
    named: dict[str, Path] = {}
    for student, paths in found.items():
        # the one that bears the name without any change keeps it
        paths.sort(key=lambda path: (_student(path, chapter) != student, str(path)))
        named[student] = paths[0]
        for path in paths[1:]:
            name = _with_hash(student, str(path))
            while name in found or name in named:
                name = _with_hash(student, name)
            named[name] = path
            warnings.warn(
                f"Two submissions have the name {student}: {path} is graded as {name}, "
                f"{paths[0]} keeps it.",
                stacklevel=1,
            )
    return sorted(named.items())


def _notebooks(folder: Path) -> list[Path]:
    """Return the notebooks in a folder and its subfolders."""

    def unreadable(error: OSError) -> None:
        told = f"The folder {error.filename} is left out: {error.strerror}."
        warnings.warn(told, stacklevel=1)

    found = []
    for parent, folders, files in os.walk(folder, onerror=unreadable):
        names = [name for name in (*folders, *files) if name.endswith(".ipynb")]
        found += [Path(parent, name) for name in names]
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def _latest(student: str, paths: list[Path]) -> list[Path]:
    """Leave out the files from Canvas that the student has replaced."""
    files = {path: owner.file for path in paths if (owner := owner_of(path))}
    latest = max(files.values(), default=0)
    old = [path for path in paths if latest and files.get(path, latest) < latest]
    if old:
        warnings.warn(
            f"{student} handed in {len(old) + 1} files; the last one is graded.",
            stacklevel=1,
        )
    return [path for path in paths if path not in old]


def _student(path: Path, chapter: str) -> str:
    if owner := owner_of(path):
        return f"{owner.name}_{owner.id}".lstrip("_")
    # realpath, because Path.resolve fails on circular links
    folders = Path(os.path.realpath(path)).parents
    names = [path.stem, *(folder.name for folder in folders)]
    return next((name for name in names if name and name != chapter), path.stem)


def legal_name(name: str) -> str:
    """Return a name that can be a file's in every folder."""
    legal = re.sub(r"[^\w.@+-]+", "_", name).strip(".") or "student"
    return legal if len(legal.encode()) <= _LONGEST_NAME else _with_hash(legal, legal)


def _with_hash(name: str, hashed: str) -> str:
    ending = hashlib.sha256(hashed.encode(errors="replace")).hexdigest()[:8]
    start = name.encode()[: _LONGEST_NAME - 9].decode("utf-8", "ignore")
    return f"{start}-{ending}"


def read_submission(student: str, path: Path) -> Submission:
    """Read a student's notebook. Any problem is reported as a sentence, not raised."""
    problem, cells = "", {}
    try:
        if path.is_symlink():  # it may lead to the instructor's notebook
            problem = "It is a link, not a file."
        elif not path.is_file():  # a folder, or a pipe, on which reading would block
            problem = "It is not a file."
        elif path.stat().st_size > _LARGEST_FILE:
            problem = f"The file has more than {_LARGEST_FILE >> 20} MiB."
        else:
            cells = _graded_cells(path.read_text(encoding="utf-8"))
    except Exception as error:  # a file from a student can be malformed in any way
        problem = f"The file cannot be read as a notebook ({type(error).__name__})."
    return Submission(student, cells, problem)


def _graded_cells(text: str) -> dict[str, list[tuple[str, str]]]:
    cells: dict[str, list[tuple[str, str]]] = {}
    for cell in _read_cells(text):
        metadata, source = cell.get("metadata"), cell.get("source")
        marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
        grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        if isinstance(grade_id, str) and isinstance(source, str):
            found = (str(cell.get("cell_type")), source)
            cells.setdefault(grade_id, []).append(found)
    return cells


def _read_cells(text: str) -> list[dict]:
    """Return the cells of a notebook, without outputs."""
    # Only older formats are read with nbformat, because it validates every output
    # against a schema: a file of 3 MB can take it hours and all memory.
    content = json.loads(text, object_hook=_without_outputs)
    if content["nbformat"] != 4:
        nbformat = require("nbformat", "teach")
        if len(text := json.dumps(content)) > _LONGEST_OLD_FILE:
            raise ValueError("an old format")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = nbformat.reads(text, as_version=4)
    return list(content["cells"])


def _without_outputs(entries: dict) -> dict:
    return entries | {"outputs": []} if "outputs" in entries else entries
