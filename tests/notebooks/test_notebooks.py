"""Every committed chapter keeps to the rules. What each rule catches is shown in
test_checks.py.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from genai_tutorial.notebook.chapters import chapters, chapters_table
from tests.notebooks import exercise_checks, markdown_checks, output_checks
from tests.notebooks.chapter_file import ROOT, ChapterFile

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHECKS = (*markdown_checks.CHECKS, *output_checks.CHECKS, *exercise_checks.CHECKS)


def test_there_are_chapters():
    assert NOTEBOOKS, "notebooks/ is empty: the tests below would check nothing"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter(path: Path, check: Callable[[ChapterFile], list[str]]):
    problems = check(ChapterFile.read(path))
    assert not problems, "\n" + "\n".join(
        f"{path.name}: {problem}" for problem in problems
    )


def test_readme_lists_the_chapters():
    readme = (ROOT / "README.md").read_text("utf8")
    table = readme.partition("<!-- chapters -->\n")[2].partition(
        "\n<!-- /chapters -->"
    )[0]
    expected = chapters_table(chapters(ROOT))
    assert table == expected, (
        f"put this between the two marks in README.md:\n{expected}"
    )
