"""Versions of exercises: every solution passes the tests of its own version and of no
other, and the grader uses the version of its seed.
"""

import nbformat
import pytest

from genai_tutorial.teaching import TeachingError, assign, grade
from genai_tutorial.teaching.exercises import read_chapter
from genai_tutorial.teaching.version_texts import VERSIONS

ALL = {name: versions() for name, versions in VERSIONS.items()}


def passes(solution: str, tests: str) -> bool:
    space: dict = {}
    try:
        exec(f"{solution}\n{tests}", space)
    except Exception:
        return False
    return True


def book_solution(exercise: str) -> str:
    """Return the chapter's own solution, under the name that the versions have."""
    chapter = read_chapter(exercise.partition(".")[0])
    found = next(one for one in chapter.exercises if one.name == exercise)
    (part,) = found.of_kind("solution")
    source = part.cell.source.replace("causal_attention_weights", "attention_weights")
    old = "gpt2_parameters(vocabulary, context, width, layers)"
    new = "parameters(vocabulary, context, width, inner, layers)"
    return source.replace(old, new)


@pytest.mark.parametrize("exercise", ALL)
def test_solution_passes_its_own_tests_and_no_others(exercise):
    versions = ALL[exercise]
    assert len(versions) >= 5
    for version in versions:
        right = [other for other in versions if passes(version.reference, other.tests)]
        assert right == [version]
        assert not passes(book_solution(exercise), version.tests)
        empty = f"{version.stub}    raise NotImplementedError"
        assert not passes(empty, version.visible)


@pytest.mark.parametrize("exercise", ALL)
def test_every_version_is_chosen_by_some_seed(exercise):
    chapter = exercise.partition(".")[0]
    cells = {
        cell.source
        for seed in range(80)
        for one in read_chapter(chapter, seed).exercises
        if one.name == exercise
        for part in one.of_kind("solution")
        for cell in [part.cell]
    }
    assert cells == {version.reference for version in ALL[exercise]}


def test_release_has_the_text_and_the_points_of_the_exercise(tmp_path):
    path = assign(4, tmp_path, seed=7)
    text = path.read_text("utf8")
    assert "### Exercise 4.1 · A mask (10 minutes, 3 points)" in text
    assert "## Exercises" in text
    assert "BEGIN SOLUTION" not in text
    assert "causal_attention_weights(scores)" not in text
    book, varied = read_chapter(4), read_chapter(4, 7)
    assert [one.name for one in varied.exercises] == [
        one.name for one in book.exercises
    ]
    points = [[one.points for one in part.exercises] for part in (book, varied)]
    assert points[0] == points[1]
    assert assign(4, tmp_path / "again", seed=7).read_text("utf8") == text


def test_chapter_without_versions_refuses_a_seed():
    with pytest.raises(TeachingError, match="No exercise of 02_tokens"):
        read_chapter(2, 7)


@pytest.mark.slow
def test_grader_takes_the_version_of_its_seed(tmp_path):
    handed_out = assign(4, tmp_path, seed=7)
    varied = read_chapter(4, 7)
    solutions = {
        part.grade_id: part.cell.source
        for one in varied.exercises
        if one.name in ALL
        for part in one.of_kind("solution")
    }
    book = {
        f"ex-{name.replace('.', '-')}": book_solution(name) for name in ("4.1", "4.4")
    }
    folder = tmp_path / "submissions"
    folder.mkdir()
    for student, answers in (("ada", solutions), ("bob", book)):
        notebook = nbformat.read(handed_out, as_version=4)
        for cell in notebook.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            cell.source = answers.get(grade_id, cell.source)
        nbformat.write(notebook, folder / f"{student}.ipynb")
    reports = grade(4, [folder], tmp_path / "grades", seed=7, unprotected=True)
    points = {
        report.student: [
            result.points for result in report.results if result.exercise in ALL
        ]
        for report in reports
    }
    assert points == {"ada": [3.0, 4.0], "bob": [0.0, 0.0]}
