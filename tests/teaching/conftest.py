import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from genai_tutorial.teaching.exercises import read_chapter
from genai_tutorial.teaching.grading import Grader
from genai_tutorial.teaching.reports import Report
from genai_tutorial.teaching.sandbox import Limits
from genai_tutorial.teaching.submission import read_submission
from tests.teaching.chapters import small_chapter


@pytest.fixture(scope="session")
def chapter_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("course") / "99_small.ipynb"
    nbformat.write(small_chapter(), path)
    return path


@pytest.fixture(scope="session")
def grader(chapter_path: Path) -> Iterator[Grader]:
    """Tests share a sandbox, since each exercise runs in a separate process anyway."""
    limits = Limits(
        cell_seconds=30.0,
        exercise_seconds=60.0,
        memory=256 << 20,
        file_size=4 << 20,
        characters=2000,
    )
    with Grader(read_chapter(chapter_path), limits=limits) as grader:
        yield grader


@pytest.fixture
def grade_notebook(
    grader: Grader, tmp_path: Path
) -> Callable[[nbformat.NotebookNode], Report]:
    """Grade a notebook as a submission: written to a file and read back."""

    def grade(notebook: nbformat.NotebookNode) -> Report:
        path = tmp_path / "ada.ipynb"
        nbformat.write(copy.deepcopy(notebook), path)
        return grader.report(read_submission("ada", path))

    return grade
