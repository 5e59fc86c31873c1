"""Versions of exercises: every solution passes the tests of its own version and of no
other, and the grader takes the version of its seed, or of the student in its roster.
"""

import ast
import functools
from pathlib import Path

import nbformat
import pytest
import yaml

from genai_tutorial.teaching import TeachingError, assign, grade
from genai_tutorial.teaching.exercises import read_chapter
from genai_tutorial.teaching.handouts import chapters_of
from genai_tutorial.teaching.slides import lecture_file
from genai_tutorial.teaching.versions import read_versions

FILES = sorted((Path(__file__).parents[2] / "book" / "versions").glob("*.yml"))
EXERCISES = [
    pytest.param(file, entry, id=str(entry["exercise"]))
    for file in FILES
    for entry in yaml.safe_load(file.read_text("utf8"))
]
read = functools.cache(read_versions)
chapter_of = functools.cache(read_chapter)


def passes(space: dict, tests: str) -> bool:
    try:
        exec(tests, dict(space))
    except Exception:
        return False
    return True


def defined(*sources: str) -> dict:
    space: dict = {}
    for source in sources:
        exec(source, space)
    return space


def size(source: str) -> int:
    return sum(1 for _ in ast.walk(ast.parse(source)))


@pytest.mark.parametrize(("file", "entry"), EXERCISES)
def test_solution_passes_its_own_tests_and_no_others(file, entry):
    number = str(entry["exercise"])
    versions = read(file)[number]
    name = ast.parse(versions[0].stub + "\n    pass").body[-1].name
    book = next(one for one in chapter_of(file.stem).exercises if one.name == number)
    cells = [part.cell.source for part in book.of_kind("solution")]
    folded = defined(*book.setup, *cells)
    folded[name] = folded[entry.get("book_name", name)]
    assert len(versions) >= 5
    for version in versions:
        solution = defined(version.reference)
        right = [other.where for other in versions if passes(solution, other.tests)]
        assert right == [version.where]
        visible = version.tests.partition("### BEGIN HIDDEN TESTS")[0]
        empty = defined(f"{version.stub}\n    raise NotImplementedError")
        assert not passes(empty, visible)
        assert not passes(folded, version.tests), f"the book's passes {version.where}"
    sizes = [size(version.reference) for version in versions]
    assert max(sizes) <= 1.25 * min(sizes), f"{file}, exercise {number}: {sizes}"
    assert not [version.where for version in versions if "<<" in version.text]


def test_error_names_file_and_exercise(tmp_path):
    entry = {
        "exercise": "4.1",
        "title": "Twice",
        "text": "Write it.",
        "stub": "def twice(x):",
        "solution": "return <<factor>> * x",
        "versions": [{"factor": 2}],
        "visible": ["twice(1)"],
        "hidden": ["twice(lost)"],
    }

    def version(**changed):
        path = tmp_path / "04.yml"
        path.write_text(yaml.safe_dump([entry | changed]), "utf8")
        return read_versions(path)["4.1"][0]

    with pytest.raises(TeachingError, match=r"04\.yml, exercise 4\.1, .*lost"):
        _ = version().tests
    with pytest.raises(TeachingError, match=r"04\.yml, exercise 4\.1 .*no factor"):
        version(versions=[{}])
    with pytest.raises(TeachingError, match=r"04\.yml, exercise 4\.1 .*says"):
        version(says="more")
    with pytest.raises(TeachingError, match=r"04\.yml, exercise 4\.1 .*quotes"):
        version(hidden=[3])


def exercises(chapter, names):
    return [one for one in chapter.exercises if one.name in names]


def varied(chapter, **chosen):
    """Return the chapter of each student."""
    chosen = {"seed": None, "roster": None} | chosen
    students = chosen.pop("students", [""])
    found = chapters_of(chapter, students, **chosen)
    return {student: one for one, group in found for student in group}


def test_every_version_is_chosen_by_some_seed():
    cells = {
        one.of_kind("solution")[0].cell.source
        for seed in range(16)
        for one in exercises(varied(4, seed=seed)[""], ["4.1"])
    }
    (file,) = [file for file in FILES if file.stem == "04"]
    assert cells == {version.reference for version in read(file)["4.1"]}


def test_release_has_the_text_and_the_points_of_the_exercise(tmp_path):
    path = assign(4, tmp_path, seed=7)
    text = path.read_text("utf8")
    assert "### Exercise 4.1 · A mask (10 minutes, 3 points)" in text
    assert "## Exercises" in text
    assert "BEGIN SOLUTION" not in text
    assert "causal_attention_weights(scores)" not in text
    book, found = read_chapter(4), varied(4, seed=7)[""]
    assert [one.name for one in found.exercises] == [one.name for one in book.exercises]
    points = [[one.points for one in part.exercises] for part in (book, found)]
    assert points[0] == points[1]
    assert assign(4, tmp_path / "again", seed=7).read_text("utf8") == text


def test_roster_gives_each_student_a_version(tmp_path):
    students = [f"student {number}" for number in range(5)]
    roster = tmp_path / "class.csv"
    roster.write_text("\n".join(["id,student", *(f"1,{s}" for s in students)]), "utf8")
    folder = assign(4, tmp_path / "handout", roster=roster)
    key = (tmp_path / "class.key").read_text("utf8").strip()
    texts = [path.read_text("utf8") for path in sorted(folder.glob("*/*.ipynb"))]
    assert len(texts) == 5
    assert len(set(texts)) > 2
    assert not any(key in text or "BEGIN SOLUTION" in text for text in texts)
    assign(4, folder, roster=roster, overwrite=True)
    assert (tmp_path / "class.key").read_text("utf8").strip() == key
    again = [path.read_text("utf8") for path in sorted(folder.glob("*/*.ipynb"))]
    assert texts == again
    with pytest.raises(TeachingError, match=r"class\.csv has no student eve"):
        varied(4, roster=roster, students=["eve"])
    (tmp_path / "class.key").unlink()
    with pytest.raises(TeachingError, match=r"class\.key is missing, or not the key"):
        varied(4, roster=roster, students=["student_1"])


def hand_in(handout, answers, path):
    notebook = nbformat.read(handout, as_version=4)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(grade_id, cell.source)
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)


def solutions(chapter):
    return {
        part.grade_id: part.cell.source
        for one in exercises(chapter, ["4.1", "4.4"])
        for part in one.of_kind("solution")
    }


def points_of(reports):
    return {
        report.student: [
            result.points
            for result in report.results
            if result.exercise in ("4.1", "4.4")
        ]
        for report in reports
    }


@pytest.mark.slow
def test_grader_takes_the_version_of_its_seed(tmp_path):
    handout = assign(4, tmp_path, seed=7)
    folder = tmp_path / "submissions"
    hand_in(handout, solutions(varied(4, seed=7)[""]), folder / "ada.ipynb")
    hand_in(handout, solutions(read_chapter(4)), folder / "bob.ipynb")
    reports = grade(4, [folder], tmp_path / "grades", seed=7, unprotected=True)
    assert points_of(reports) == {"ada": [3.0, 4.0], "bob": [0.0, 0.0]}


@pytest.mark.slow
def test_another_student_s_solution_gets_no_points(tmp_path):
    """Bob hands in Ada's file, the whole of it, under his name."""
    roster = tmp_path / "class.csv"
    roster.write_text("student\nada\nbob\n", "utf8")
    (tmp_path / "class.key").write_text("07" * 16, "utf8")
    handouts = assign(4, tmp_path / "handout", roster=roster)
    ada = solutions(varied(4, roster=roster, students=["ada", "bob"])["ada"])
    (handout,) = (handouts / "ada").glob("*.ipynb")
    folder = tmp_path / "submissions"
    for student in ("ada", "bob"):
        hand_in(handout, ada, folder / f"{student}.ipynb")
    reports = grade(4, [folder], tmp_path / "grades", roster=roster, unprotected=True)
    assert points_of(reports) == {"ada": [3.0, 4.0], "bob": [0.0, 0.0]}


def test_chapter_without_versions_is_refused_with_those_that_have(tmp_path):
    with pytest.raises(TeachingError, match=r"01_a.* has no versions.* have: 04"):
        lecture_file(_book(tmp_path, "01_a"), "versions", ".yml")
    assert lecture_file(_book(tmp_path, "04_b"), "versions", ".yml").stem == "04"


def _book(folder: Path, chapter: str) -> Path:
    texts = folder / "book" / "versions"
    texts.mkdir(parents=True, exist_ok=True)
    (texts / "04.yml").touch()
    return folder / "notebooks" / f"{chapter}.ipynb"
