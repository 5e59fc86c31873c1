"""The student's release of a chapter: the same notebook without solutions, hidden tests
and outputs.
"""

import copy
import logging
import posixpath
import re
from importlib.metadata import metadata
from pathlib import Path

from genai_tutorial.runtime import require
from genai_tutorial.teaching.exercises import TeachingError, read_chapter
from genai_tutorial.teaching.files import check_absent, write_text

# What nbgrader itself runs for `nbgrader generate_assignment`, in its order, less the
# steps that need its database.
_STEPS = (
    "LockCells",
    "ClearSolutions",
    "ClearOutput",
    "ClearHiddenTests",
    "ClearMarkScheme",
    "ComputeChecksums",
)
_MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "BEGIN HIDDEN TESTS", "END HIDDEN TESTS")
_BADGE = re.compile(
    r"\[!\[[^\]]*\]\([^)]*\)\]\(https://colab\.research\.google\.com/[^)]*\)[ \t]*\n?"
)
_LINK = re.compile(
    r"(?P<mark>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target>[^()\s]+)\)"
)


def release(notebook: dict) -> dict:
    """Make the student's version of a chapter: nbgrader's own steps, on a copy.

    Solutions become a stub, hidden tests and outputs are removed, test cells are locked
    and carry a checksum. Solution cells are unfolded, so that the student sees where to
    write. Links to other pages of the book become web addresses, and the Colab badge
    goes, because it opens the chapter that has the solutions.

    Args:
        notebook: The instructor's notebook, as nbformat (version 4) reads it. It is not
            changed.

    Raises:
        TeachingError: If a solution or a hidden test has no end, or stands in a cell
            that is not marked for it.
    """
    preprocessors = require("nbgrader.preprocessors", "teach")
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
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
            raise TeachingError(
                f"nbgrader cannot make a release of this notebook: {error}."
            ) from error
    for cell in notebook.cells:
        if marker := next(
            (marker for marker in _MARKERS if marker in cell.source), None
        ):
            raise TeachingError(
                f"A cell still says {marker!r} in the release; see that each BEGIN has "
                "its END."
            )
    notebook.metadata.pop("widgets", None)
    notebook.metadata.setdefault(
        "kernelspec",
        {"display_name": "Python 3", "language": "python", "name": "python3"},
    )
    notebook.metadata["colab"] = {"provenance": []}
    return notebook


def assign(
    chapter: str | int | Path, folder: str | Path, *, overwrite: bool = False
) -> Path:
    """Write the student's release of a chapter into a folder, and return its path.

    Args:
        chapter: The chapter's number, or the path of its notebook.
        folder: Where to write; it is made where it does not exist.
        overwrite: Whether a file of the same name may be replaced.

    Raises:
        TeachingError: If the chapter is not found, has no exercises, or the file is
            there already.
    """
    found = read_chapter(chapter)
    target = Path(folder) / found.path.name
    if target.exists() and target.resolve() == found.path:
        raise TeachingError(
            f"{folder} is where the chapter itself lies; choose another folder for the "
            "release."
        )
    check_absent(target, overwrite)
    nbformat = require("nbformat", "teach")
    return write_text(target, nbformat.writes(release(found.notebook)) + "\n")


def _unfold(cell: dict) -> None:
    cell.metadata.pop("mystnb", None)
    cell.metadata.pop("jupyter", None)
    tags = [tag for tag in cell.metadata.get("tags", []) if not tag.startswith("hide-")]
    cell.metadata.pop("tags", None)
    if tags:
        cell.metadata["tags"] = tags


def _with_web_addresses(text: str) -> str:
    """Turn links to neighbouring files into web addresses: a release is read far from
    the repository.
    """

    def address(match: re.Match) -> str:
        target = match["target"]
        # a web address, a place on the page, or no link at all
        if not re.match(r"(\.\./|[\w./-]+\.\w+(#|$))", target):
            return match[0]
        path = posixpath.normpath(posixpath.join("notebooks", target))
        kind = "raw" if match["mark"] else "blob"
        return f"{match['mark']}[{match['text']}]({_repository()}/{kind}/main/{path})"

    return _LINK.sub(address, text)


def _repository() -> str:
    """Return the repository's address, from the package's own metadata: the one place
    where it stands.
    """
    urls = dict(
        line.split(", ", 1)
        for line in metadata("genai_tutorial").get_all("Project-URL") or []
    )
    return urls["Repository"]
