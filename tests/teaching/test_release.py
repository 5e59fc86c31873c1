import copy
import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from genai_tutorial.runtime import repository_branch
from genai_tutorial.teaching import TeachingError, assign
from genai_tutorial.teaching.exercises import read_chapter, release
from tests.teaching.chapters import cell_of, exercise, small_chapter


def test_release_contains_no_solutions_hidden_tests_or_outputs(
    chapter_path: Path, tmp_path: Path
) -> None:
    content = assign(chapter_path, tmp_path / "handed-out").read_bytes()
    secrets = b"SCALE * x,amax,aeiou,model answer,secret_number,scores * 500,1.23"
    for secret in secrets.split(b","):
        assert secret in chapter_path.read_bytes()
        assert secret not in content
    for marker in (b"SOLUTION", b"HIDDEN", b"mystnb"):
        assert marker not in content


def test_release_marks_where_to_write() -> None:
    notebook = release(small_chapter())
    solution = cell_of(notebook, "ex-1")
    assert solution.source == (
        'def double(x):\n    """Return twice x."""\n    # YOUR CODE HERE\n    raise '
        "NotImplementedError()"
    )
    assert "tags" not in solution.metadata
    assert "mystnb" not in solution.metadata
    assert cell_of(notebook, "ex-4").source == "YOUR ANSWER HERE"
    assert notebook.cells[1].metadata.tags == ["hide-input"]  # other cells stay folded


def test_release_keeps_and_locks_visible_tests() -> None:
    tests = cell_of(release(small_chapter()), "ex-1-tests")
    assert tests.source.strip() == 'assert double(2) == 4, "double(2) should be 4"'
    assert tests.metadata.editable is False
    assert tests.metadata.deletable is False
    assert tests.metadata.nbgrader.checksum


def test_release_links_and_badge_work_outside_repository() -> None:
    text = release(small_chapter()).cells[0].source
    assert text.endswith("go on with the cell below it.")
    assert "colab.research.google.com" not in text
    assert (
        f"(https://github.com/genai-tutorial/genai-tutorial/blob/{repository_branch()}"
        "/book/glossary.md)" in text
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[next](05_vae.ipynb)", "[next]({}/blob/{branch}/notebooks/05_vae.ipynb)"),
        (
            "![a map](../book/images/map.svg)",
            "![a map]({}/raw/{branch}/book/images/map.svg)",
        ),
        (
            "[paper](https://arxiv.org/abs/1706.03762)",
            "[paper](https://arxiv.org/abs/1706.03762)",
        ),
        (
            "[mail](mailto:a@b.c) and [here](#top)",
            "[mail](mailto:a@b.c) and [here](#top)",
        ),
        ("$f[x](y)$ stays a call of `g[0](1)`", "$f[x](y)$ stays a call of `g[0](1)`"),
    ],
)
def test_release_changes_only_relative_links(before: str, after: str) -> None:
    chapter = small_chapter()
    chapter.cells[-1].source = before
    assert release(chapter).cells[-1].source == after.format(
        "https://github.com/genai-tutorial/genai-tutorial", branch=repository_branch()
    )


def test_release_is_valid_and_opens_in_colab(
    chapter_path: Path, tmp_path: Path
) -> None:
    path = assign(chapter_path, tmp_path / "handed-out")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.colab == {"provenance": []}
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(
        not cell.get("outputs") and cell.get("execution_count") is None
        for cell in notebook.cells
    )


def test_release_leaves_chapter_unchanged(chapter_path: Path) -> None:
    chapter = read_chapter(chapter_path)
    before = copy.deepcopy(chapter.notebook)
    release(chapter.notebook)
    assert chapter.notebook == before


def test_release_overwrites_only_on_request(chapter_path: Path, tmp_path: Path) -> None:
    path = assign(chapter_path, tmp_path)
    path.write_text("a teacher's own changes")
    with pytest.raises(TeachingError, match="exists already"):
        assign(chapter_path, tmp_path)
    assert path.read_text() == "a teacher's own changes"
    again = assign(chapter_path, tmp_path, overwrite=True)
    assert json.loads(again.read_text())["nbformat"] == 4
    # no temporary file is left
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_release_never_overwrites_chapter(chapter_path: Path) -> None:
    before = chapter_path.read_bytes()
    with pytest.raises(TeachingError, match="where the chapter itself lies"):
        assign(chapter_path, chapter_path.parent, overwrite=True)
    assert chapter_path.read_bytes() == before


def test_release_rejects_unclosed_solution() -> None:
    chapter = small_chapter()
    cell = cell_of(chapter, "ex-1")
    cell.source = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x"
    with pytest.raises(TeachingError, match="no end solution"):
        release(chapter)


def _refusal(tmp_path: Path, cells: list) -> str:
    path = tmp_path / "chapter.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    with pytest.raises(TeachingError) as caught:
        read_chapter(path)
    return str(caught.value)


def test_release_rejects_chapter_that_cannot_be_graded(tmp_path: Path) -> None:
    one, again = (exercise(1, "One", "def f(): ...", "assert f", 1) for _ in range(2))
    assert "no exercises" in _refusal(tmp_path, [new_markdown_cell("# Only text")])
    assert "two cells with the id ex-1" in _refusal(
        tmp_path, [*one, new_markdown_cell("## Again"), *again]
    )
    assert "1 solution cells, 0 test cells" in _refusal(tmp_path, one[:2])
    assert "0 solution cells, 1 test cells" in _refusal(tmp_path, [one[0], one[2]])


def test_chapter_is_found_by_number_or_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notebooks").mkdir()
    nbformat.write(small_chapter(), tmp_path / "notebooks" / "99_small.ipynb")
    monkeypatch.chdir(tmp_path)
    names = [exercise.name for exercise in read_chapter("99").exercises]
    assert names == ["99.1", "99.2", "99.3", "99.4"]
    assert read_chapter(99).exercises[0].title == "Double"
    for wrong, sentence in (
        ("98", "no notebook for chapter 98"),
        ("x", "number such as 4"),
        ("a.ipynb", "no notebook at"),
    ):
        with pytest.raises(TeachingError, match=sentence):
            read_chapter(wrong)
