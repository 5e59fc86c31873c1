"""Every committed chapter follows the rules, which test_rules.py tests."""

from pathlib import Path

import pytest

from genai_tutorial.notebook import chapters, unnumbered_pages
from genai_tutorial.notebook.chapters import chapters_table, recorded_times
from tests.notebooks import (
    code_rules,
    exercise_rules,
    number_rules,
    output_rules,
    text_rules,
)
from tests.notebooks.chapter_file import ROOT, ChapterFile

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ONLY_CHAPTERS = {
    text_rules.headings_in_order,
    output_rules.has_an_interactive_figure,
    code_rules.has_few_claims_and_names,
    code_rules.metadata_is_complete,
    exercise_rules.exercises_are_complete,
}
"""Rules that a page without a number, and so without exercises, need not keep."""
UNNUMBERED = unnumbered_pages(ROOT)
RULES = (
    *text_rules.RULES, *output_rules.RULES, *number_rules.RULES, *code_rules.RULES,
    *exercise_rules.RULES,
)  # fmt: skip


def test_notebooks_folder_is_not_empty():
    assert NOTEBOOKS, "notebooks/ is empty, so the tests below would check nothing"
    names = {path.stem for path in NOTEBOOKS}
    assert recorded_times(ROOT / "notebooks").keys() == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter(path: Path):
    chapter, without = ChapterFile.read(path), path in UNNUMBERED
    problems = [
        f"{rule.__name__}: {problem}"
        for rule in RULES
        if not (without and rule in ONLY_CHAPTERS)
        for problem in rule(chapter)
    ]
    assert problems == [], path.name


def test_readme_lists_chapters():
    readme = (ROOT / "README.md").read_text("utf8")
    table = readme.partition("<!-- chapters -->\n")[2]
    expected = chapters_table(chapters(ROOT))
    assert table.partition("\n<!-- /chapters -->")[0] == expected, (
        f"put this between the two marks in README.md:\n{expected}"
    )
