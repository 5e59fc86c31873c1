"""An nbgrader course created from the same notebook with nbgrader's commands."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.utils import compute_checksum

from genai_tutorial.teaching.exercises import release
from tests.teaching.chapters import answered, cell_of, small_chapter
from tests.teaching.test_grade import RIGHT

_CONFIG = """
c = get_config()
c.CourseDirectory.course_id = "generative-ai"
c.ExecutePreprocessor.timeout = 60
"""


@pytest.fixture
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course after all commands. One student answers correctly, the other
    hard-codes the visible tests.
    """
    folder = tmp_path_factory.mktemp("nbgrader")
    # nbgrader starts alembic and kernels by name, and its files stay in this folder.
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # noqa: E501
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter"),
        "OMP_NUM_THREADS": "1",
    }

    def nbgrader(*arguments: str) -> None:
        command = [sys.executable, "-m", "nbgrader", *arguments]
        options = {"cwd": folder, "env": environment, "timeout": 120, "text": True}
        done = subprocess.run(command, capture_output=True, **options)
        assert done.returncode == 0, done.stderr

    (folder / "nbgrader_config.py").write_text(_CONFIG)
    (folder / "source" / "small").mkdir(parents=True)
    chapter = small_chapter()
    chapter.cells = [
        cell
        for cell in chapter.cells
        if "the grader must not run this" not in cell.source
    ]
    chapter.cells[1].source = ""  # nbgrader runs the whole notebook
    nbformat.write(chapter, folder / "source" / "small" / "99_small.ipynb")
    nbgrader("generate_assignment", "small")
    for student, answers in (
        ("ada", RIGHT),
        ("bob", {"ex_1": "def double(x): return 4"}),
    ):
        notebook = nbformat.read(
            folder / "release" / "small" / "99_small.ipynb", as_version=4
        )
        for name, source in answers.items():
            cell_of(notebook, name.replace("_", "-")).source = source
        (folder / "submitted" / student / "small").mkdir(parents=True)
        nbformat.write(
            notebook, folder / "submitted" / student / "small" / "99_small.ipynb"
        )
    nbgrader("autograde", "small")
    nbgrader("generate_feedback", "small")
    nbgrader("export")
    return folder


def check_release(course: Path) -> None:
    """Check that nbgrader's release and ours have the same exercises."""
    theirs = nbformat.read(
        course / "release" / "small" / "99_small.ipynb", as_version=4
    )
    ours = release(small_chapter())
    numbers = ("ex-1", "ex-2", "ex-3")
    for grade_id in (*numbers, *(f"{number}-tests" for number in numbers), "ex-4"):
        one, other = cell_of(theirs, grade_id), cell_of(ours, grade_id)
        assert one.source == other.source
        assert one.metadata.nbgrader == other.metadata.nbgrader
        assert compute_checksum(one) == other.metadata.nbgrader.checksum


def check_points(course: Path, grade_notebook) -> None:
    """Check that nbgrader gives the same points as our grader."""
    with (course / "grades.csv").open() as file:
        scores = {
            row["student_id"]: (float(row["score"]), float(row["max_score"]))
            for row in csv.DictReader(file)
        }
    ours = {
        "ada": grade_notebook(answered(**RIGHT)),
        "bob": grade_notebook(answered(ex_1="def double(x): return 4")),
    }
    assert scores == {
        student: (report.points, report.max_points) for student, report in ours.items()
    }
    assert scores == {"ada": (7.0, 9.0), "bob": (0.0, 9.0)}


def check_feedback(course: Path) -> None:
    """Check that nbgrader writes a feedback page."""
    page = (course / "feedback" / "bob" / "small" / "99_small.html").read_text()
    assert "a number is doubled wrongly" in page


@pytest.mark.slow
def test_nbgrader_course_matches_exercises_points_and_feedback(
    course: Path, grade_notebook
) -> None:
    """A single test, because creating the course takes a minute or two."""
    check_release(course)
    check_points(course, grade_notebook)
    check_feedback(course)
