"""Every committed chapter follows the rules. The rules themselves are tested in the
other files of this folder, such as test_markdown_checks.py.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from genai_tutorial.notebook import chapters, unnumbered_pages
from genai_tutorial.notebook.chapters import chapters_table, recorded_times
from tests.notebooks import (
    code_checks,
    exercise_checks,
    markdown_checks,
    output_checks,
)
from tests.notebooks.chapter_file import ROOT, ChapterFile
from tests.notebooks.exceptions import listed_exceptions, unlisted_and_outdated

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHECKS = (*markdown_checks.CHECKS, *output_checks.CHECKS, *exercise_checks.CHECKS)
ONLY_CHAPTERS = {
    markdown_checks.headings_in_order,
    output_checks.has_an_interactive_figure,
    exercise_checks.metadata_is_complete,
    exercise_checks.exercises_are_complete,
}
"""Rules that a page without a number, and so without exercises, need not keep."""


def cases() -> list[pytest.param]:
    """Return each notebook with each rule that applies to it."""
    unnumbered = unnumbered_pages(ROOT)
    return [
        pytest.param(path, check, id=f"{path.stem}-{check.__name__}")
        for path in NOTEBOOKS
        for check in CHECKS
        if not (path in unnumbered and check in ONLY_CHAPTERS)
    ]


def test_notebooks_folder_is_not_empty():
    assert NOTEBOOKS, "notebooks/ is empty, so the tests below would check nothing"


@pytest.mark.parametrize(("path", "check"), cases())
def test_chapter(path: Path, check: Callable[[ChapterFile], list[str]]):
    problems = check(ChapterFile.read(path))
    assert not problems, "\n" + "\n".join(
        f"{path.name}: {problem}" for problem in problems
    )


@pytest.mark.parametrize("check", code_checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter_with_listed_exceptions(
    path: Path, check: Callable[[ChapterFile], code_checks.Faults]
):
    """For rules with exceptions, the listed faults are exactly the ones found."""
    listed = listed_exceptions().get(check.__name__, {}).get(path.stem, [])
    problems = unlisted_and_outdated(check(ChapterFile.read(path)), listed)
    assert not problems, "\n" + "\n".join(
        f"{path.name}: {problem}" for problem in problems
    )


def test_exceptions_name_existing_rules_and_chapters():
    """Exceptions must not refer to chapters or rules that were renamed."""
    listed = listed_exceptions()
    assert listed.keys() <= {check.__name__ for check in code_checks.CHECKS}
    chapters_listed = {name for by_chapter in listed.values() for name in by_chapter}
    assert chapters_listed <= {path.stem for path in NOTEBOOKS}


def test_running_times_cover_exactly_the_chapters():
    assert recorded_times(ROOT / "notebooks").keys() == {
        path.stem for path in NOTEBOOKS
    }


def test_readme_lists_chapters():
    readme = (ROOT / "README.md").read_text("utf8")
    table = readme.partition("<!-- chapters -->\n")[2].partition(
        "\n<!-- /chapters -->"
    )[0]
    expected = chapters_table(chapters(ROOT))
    assert table == expected, (
        f"put this between the two marks in README.md:\n{expected}"
    )
