"""What each chapter builds on is true in its metadata, on its page and on the paths
through the book.
"""

from itertools import chain

import pytest
import yaml

from genai_tutorial.notebook import chapters
from genai_tutorial.notebook.chapters import Chapter
from genai_tutorial.notebook.paths import needed_sections, prerequisites
from tests.notebooks.chapter_file import ROOT, ChapterFile

CHAPTERS = chapters(ROOT)
PATHS = yaml.safe_load((ROOT / "book/paths.yml").read_text("utf8"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.path.stem)
def test_table_under_the_title_names_what_a_chapter_builds_on(chapter: Chapter):
    _, _, opening = ChapterFile.read(chapter.path).of_type("markdown")[0]
    expected = prerequisites(chapter, CHAPTERS)
    assert f"\n| {expected} |" in opening, f"write in the first column: {expected}"


@pytest.mark.parametrize("name", PATHS)
def test_paths_contain_what_their_chapters_build_on(name: str):
    paths = PATHS[name]
    rows = [row["chapters"] for row in paths["rows"]]
    for path in [list(chain(*rows))] if paths.get("course") else rows:
        needed_sections(path, CHAPTERS)  # raises if a chapter is missing


def test_pages_show_all_paths():
    pages = [
        (ROOT / f"book/{name}.md").read_text("utf8")
        for name in ("how_to_read", "teaching")
    ]
    for name in PATHS:
        assert sum(f"{{paths}} {name}\n" in page for page in pages) == 1
