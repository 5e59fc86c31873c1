"""Exercises that ask for a calculation by hand refuse a library call that does it."""

import copy
from pathlib import Path

import nbformat
import pytest

from genai_tutorial.teaching.exercises import read_chapter
from genai_tutorial.teaching.grading import Grader
from genai_tutorial.teaching.submission import read_submission

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

CASES = []
for _case in (
    Path(__file__).with_name("library_answers.txt").read_text().split("# --- ")
):
    if _case:
        _title, _source = _case.removesuffix("\n").split("\n", maxsplit=1)
        _chapter, _id, _name = _title.split(maxsplit=2)
        CASES.append(pytest.param(_chapter, _id, _source, id=f"{_id}-{_name}"))


@pytest.fixture(scope="module")
def graders():
    started: dict[str, Grader] = {}

    def grader(chapter: str) -> Grader:
        if chapter not in started:
            path = NOTEBOOKS / f"{chapter}.ipynb"
            started[chapter] = Grader(read_chapter(path)).__enter__()
        return started[chapter]

    yield grader
    for one in started.values():
        one.__exit__(None, None, None)


@pytest.mark.slow
@pytest.mark.parametrize(("chapter", "grade_id", "source"), CASES)
def test_library_answer_gets_no_points(graders, tmp_path, chapter, grade_id, source):
    grader = graders(chapter)
    notebook = copy.deepcopy(grader.chapter.notebook)
    cell = next(
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id
    )
    cell.source = source
    nbformat.write(notebook, tmp_path / "ada.ipynb")
    report = grader.report(read_submission("ada", tmp_path / "ada.ipynb"))
    number = grade_id.removeprefix("ex-").replace("-", ".")
    result = next(result for result in report.results if number in result.exercise)
    assert result.points == 0
    assert "yourself" in result.comment
    others = [r for r in report.results if r is not result and r.points is not None]
    assert all(other.points == other.max_points for other in others)
