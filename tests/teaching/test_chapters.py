"""Every chapter of the book is assigned and graded, with honest and dishonest
submissions.
"""

import ast
import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from genai_tutorial.teaching import assign
from genai_tutorial.teaching.exercises import read_chapter, release
from genai_tutorial.teaching.grading import Grader
from genai_tutorial.teaching.reports import Report
from genai_tutorial.teaching.submission import read_submission

CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
_STUB = "raise NotImplementedError()"

# Wraps a correct function so that its answer is slightly wrong, as if a term or factor
# had been forgotten.
_A_LITTLE_OFF = """
def _off(value):
    import numpy as np
    import torch

    if isinstance(value, bool):
        return not value
    if isinstance(value, (torch.Tensor, np.ndarray)):
        kind = str(value.dtype)
        return ~value if "bool" in kind else value + 1 if "int" in kind else value * 1.05 + 0.01
    if isinstance(value, (int, np.integer)):
        return value + 1
    if isinstance(value, (float, np.floating)):
        return value * 1.05 + 0.01
    if isinstance(value, str):
        return value[:-1] + "?"
    if isinstance(value, (list, tuple)):
        return type(value)(map(_off, value))
    if isinstance(value, dict):
        return {key: _off(item) for key, item in value.items()}


"""  # noqa: E501


@pytest.fixture(scope="module", params=CHAPTERS, ids=lambda path: path.stem)
def grader(request: pytest.FixtureRequest) -> Iterator[Grader]:
    """The chapter's grader, without its own check of the reference solutions."""
    grader = Grader(read_chapter(request.param))
    with grader.sandbox:
        yield grader


# What depends on the grader and not on the chapter is seen in one of them.
in_one_chapter = pytest.mark.parametrize(
    "grader", CHAPTERS[4:5], ids=lambda path: path.stem, indirect=True
)


@pytest.fixture
def hand_in(
    grader: Grader, tmp_path: Path
) -> Callable[[nbformat.NotebookNode], Report]:
    def hand_in(notebook: nbformat.NotebookNode) -> Report:
        nbformat.write(notebook, tmp_path / "ada.ipynb")
        return grader.report(read_submission("ada", tmp_path / "ada.ipynb"))

    return hand_in


def _release(grader: Grader) -> nbformat.NotebookNode:
    return release(grader.chapter.notebook)


def _marks(cell: nbformat.NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


def _solutions(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [
        cell
        for cell in notebook.cells
        if _marks(cell).get("solution") and cell.cell_type == "code"
    ]


def _graded(report: Report, grader: Grader) -> list[tuple[float, float]]:
    """Return points and maximum of the exercises that are graded by tests."""
    exercises = {
        exercise.name for exercise in grader.chapter.exercises if not exercise.is_open
    }
    return [
        (result.points, result.max_points)
        for result in report.results
        if result.exercise in exercises
    ]


@pytest.mark.slow
def test_release_contains_no_solutions_hidden_tests_or_outputs(
    grader: Grader, tmp_path: Path
) -> None:
    path = assign(grader.chapter.path, tmp_path / "handed-out")
    handed_out = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in handed_out.cells)
    for cell in grader.chapter.notebook.cells:
        for begin, end in (
            ("### BEGIN SOLUTION\n", "### END SOLUTION"),
            ("### BEGIN HIDDEN TESTS\n", "### END HIDDEN"),
        ):
            for block in cell.source.split(begin)[1:]:
                assert block.partition(end)[0].strip() not in text
        if _marks(cell).get("solution") and cell.cell_type == "markdown":
            assert cell.source not in text
    hidden = "\n".join(
        line
        for line in text.splitlines()
        if "HIDDEN TESTS" in line or "SOLUTION" in line
    )
    assert hidden == ""
    assert all(not cell.get("outputs") for cell in handed_out.cells)
    assert len(_solutions(handed_out)) == text.count(_STUB)


@pytest.mark.slow
def test_reference_solutions_get_full_points(grader: Grader, hand_in) -> None:
    report = hand_in(grader.chapter.notebook)
    assert all(points == most for points, most in _graded(report, grader))
    assert report.waiting > 0
    assert not any(result.attention for result in report.results)


@pytest.mark.slow
def test_unanswered_release_gets_no_points(grader: Grader, hand_in) -> None:
    assert hand_in(_release(grader)).points == 0


@pytest.mark.slow
def test_answers_returning_none_get_no_points(grader: Grader, hand_in) -> None:
    notebook = _release(grader)
    for cell in _solutions(notebook):
        cell.source = cell.source.replace(_STUB, "return None")
    assert hand_in(notebook).points == 0


@pytest.mark.slow
def test_slightly_wrong_answers_get_no_points(grader: Grader, hand_in) -> None:
    notebook, changed = copy.deepcopy(grader.chapter.notebook), []
    for cell in _solutions(notebook):
        functions = [
            node.name
            for node in ast.parse(cell.source).body
            if isinstance(node, ast.FunctionDef)
        ]
        wraps = [
            f"{name} = (lambda right: lambda *a, **k: _off(right(*a, **k)))({name})"
            for name in functions
        ]
        cell.source += _A_LITTLE_OFF + "\n".join(wraps)
        changed += [cell.metadata.nbgrader.grade_id] * bool(functions)
    assert changed
    report = hand_in(notebook)
    for exercise, result in zip(grader.chapter.exercises, report.results, strict=True):
        if any(part.grade_id in changed for part in exercise.parts):
            assert result.points < result.max_points, exercise.name


@pytest.mark.slow
@in_one_chapter
def test_exiting_process_gets_no_points(grader: Grader, hand_in) -> None:
    notebook = _release(grader)
    endings = itertools.cycle(["import sys; sys.exit(0)", "import os; os._exit(0)"])
    for cell in _solutions(notebook):
        cell.source = cell.source.replace(_STUB, next(endings))
    assert hand_in(notebook).points == 0


@pytest.mark.slow
@in_one_chapter
def test_infinite_loop_loses_only_its_exercise(
    grader: Grader, hand_in, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = copy.deepcopy(grader.chapter.notebook)
    first = _solutions(notebook)[0]
    first.source = _solutions(_release(grader))[0].source.replace(
        _STUB, "while True: pass"
    )
    looping = next(
        e
        for e in grader.chapter.exercises
        if first.metadata.nbgrader.grade_id in [p.grade_id for p in e.parts]
    )
    monkeypatch.setattr(
        grader.sandbox, "limits", replace(grader.sandbox.limits, cell_seconds=5.0)
    )
    for result in hand_in(notebook).results:
        if result.exercise == looping.name:
            assert result.points == 0
            assert "stopped" in result.comment
        else:
            assert result.points in (None, result.max_points)


@pytest.mark.slow
@in_one_chapter
def test_replaced_tests_and_metadata_get_no_points(grader: Grader, hand_in) -> None:
    notebook = _release(grader)
    for index, cell in enumerate(list(notebook.cells)):
        if _marks(cell).get("grade") and cell.cell_type == "code":
            cell.source = "pass"
            cell.metadata.nbgrader.update(
                points=100, locked=False, solution=True, checksum="0" * 32
            )
            copied = copy.deepcopy(cell)
            copied.id = f"copied-{index}"
            notebook.cells.append(copied)
    notebook.cells.reverse()
    report = hand_in(notebook)
    assert report.points == 0
    assert report.max_points == sum(
        exercise.points for exercise in grader.chapter.exercises
    )


@pytest.mark.slow
@in_one_chapter
def test_instructor_notebook_is_unreadable(grader: Grader, hand_in) -> None:
    notebook = _release(grader)
    for cell in _solutions(notebook):
        cell.source = f"print(open({str(grader.chapter.path)!r}).read())\n{cell.source}"
    for result in hand_in(notebook).results:
        if result.points is not None and result.answer:
            assert "PermissionError" in result.comment
            assert result.output == ""
            assert result.points == 0


@pytest.mark.slow
def test_half_of_a_solution_gets_the_points_of_its_tests(tmp_path: Path) -> None:
    chapter = read_chapter(24)
    notebook = copy.deepcopy(chapter.notebook)
    (half,) = (
        cell for cell in _solutions(notebook) if "def longest_context" in cell.source
    )
    half.source = "def longest_context(memory, weights, per_token, users): return 0"
    nbformat.write(notebook, tmp_path / "ada.ipynb")
    first = replace(chapter, exercises=chapter.exercises[:1])
    with Grader(first) as grader:
        report = grader.report(read_submission("ada", tmp_path / "ada.ipynb"))
    assert (report.points, report.max_points) == (1, 2)
