from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from genai_tutorial.notebook.chapters import chapters
from genai_tutorial.notebook.paths import (
    exercise_minutes,
    needed_sections,
    prerequisites,
    read_section,
)

WORDS = "word " * 200  # a minute
BASE = f"""# 1. Start

## First: an idea

{WORDS}
### A part of it

{WORDS}
## Second

{WORDS}
## Exercises

### Exercise 1.1 · One (10 minutes, 3 points)

### Exercise 1.2 · Two (25 minutes, 1 point)"""


@pytest.fixture
def book(tmp_path: Path):
    """Chapter 2 needs a section of 1, and 3 builds on 2."""
    facts = {"extras": [], "rooms": [], "reading_minutes": 9}
    for number, text, more in (
        (1, BASE, {"builds_on": []}),
        (2, "# 2. Middle", {"builds_on": [], "needs": [[1, "First: an idea"]]}),
        (3, "# 3. End", {"builds_on": [2], "needs": [[1, "Second"]]}),
    ):
        notebook = new_notebook(cells=[new_markdown_cell(text)])
        notebook.metadata["genai_tutorial"] = {"chapter": number, **facts, **more}
        path = tmp_path / "notebooks" / f"{number:02d}_x.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
    return chapters(tmp_path)


def test_section_ends_at_the_next_heading_of_its_level(book):
    assert round(read_section(book[0], "First: an idea").reading_minutes) == 2
    assert round(read_section(book[0], "A part of it").reading_minutes) == 1


def test_section_may_stand_on_a_page_that_continues_the_chapter(book):
    page = book[0].path.with_name("01a_more.ipynb")
    nbformat.write(new_notebook(cells=[new_markdown_cell("## Further on")]), page)
    section = read_section(book[0], "Further on")
    assert section.link == "[Further on](01a_more.ipynb)"


def test_section_that_is_not_there_is_an_error(book):
    with pytest.raises(ValueError, match="0 sections 'Third'"):
        read_section(book[0], "Third")


def test_path_needs_sections_of_the_chapters_that_it_leaves_out(book):
    assert needed_sections([1, 2, 3], book) == []
    headings = [section.heading for section in needed_sections([2, 3], book)]
    assert headings == ["First: an idea", "Second"]


@pytest.mark.parametrize("path", [[3], [3, 2]])
def test_path_without_a_chapter_that_another_builds_on_is_an_error(book, path):
    with pytest.raises(ValueError, match=r"chapter 3 builds on \[2\]"):
        needed_sections(path, book)


def test_prerequisites_name_chapters_and_sections(book):
    assert prerequisites(book[0], book) == "nothing: start here"
    assert prerequisites(book[2], book) == (
        "[2. Middle](02_x.ipynb); from 1: [Second](01_x.ipynb)"
    )


def test_exercise_minutes_are_added_up(book):
    assert exercise_minutes(book[0]) == 35
