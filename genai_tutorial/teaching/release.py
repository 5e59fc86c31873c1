"""The release of a chapter for students: the notebook without solutions, hidden tests
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

# The steps of `nbgrader generate_assignment`, in the same order, without those that
# need a database.
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
    """Create the students' version of a chapter with nbgrader's own steps.

    Solutions become stubs, hidden tests and outputs are removed, and test cells are
    locked and get a checksum. Solution cells are unfolded, so that students see where
    to write. Links to other pages of the book become web addresses. The Colab badge is
    removed, because it opens the chapter with its solutions.

    Args:
        notebook: The instructor's notebook, as read by nbformat (version 4). It is not
            modified.

    Raises:
        TeachingError: If a solution or a hidden test has no end marker, or is in a cell
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
    """Write the release of a chapter for students to a folder, and return its path.

    Args:
        chapter: The chapter's number, or the path of its notebook.
        folder: Folder to write to; created if necessary.
        overwrite: Whether to replace an existing file.

    Raises:
        TeachingError: If the chapter is not found or has no exercises, or the file
            exists already.
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
    """Turn relative links into web addresses, because a release is read outside the
    repository.
    """

    def address(match: re.Match) -> str:
        target = match["target"]
        # a web address, an anchor on the page, or not a link
        if not re.match(r"(\.\./|[\w./-]+\.\w+(#|$))", target):
            return match[0]
        path = posixpath.normpath(posixpath.join("notebooks", target))
        kind = "raw" if match["mark"] else "blob"
        return f"{match['mark']}[{match['text']}]({_repository()}/{kind}/main/{path})"

    return _LINK.sub(address, text)


def _repository() -> str:
    """Return the repository's address from the package's metadata."""
    urls = dict(
        line.split(", ", 1)
        for line in metadata("genai_tutorial").get_all("Project-URL") or []
    )
    return urls["Repository"]
