"""Rules for numbered figures and equations, for chapters that have captions, and for
folded sections.
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from genai_tutorial.notebook.captions import (
    TAG,
    caption_fault,
    captions,
    numbers,
)
from genai_tutorial.notebook.reading import folded_sections
from tests.notebooks.chapter_file import ChapterFile, markdown_tokens, text_of

REFERENCE = re.compile(r"\b(?:[Ff]igure|[Ee]quation) (\d+[a-z]?)\.\d+\b")
HEADING = re.compile(r"^#+ ", re.MULTILINE)


def prefix(chapter: ChapterFile) -> str:
    """Return what numbers begin with: 8 in 08_diffusion, 8a in 08a_diffusion."""
    found = re.match(r"0*(\d+[a-z]?)_", chapter.path.name)
    return found[1] if found else ""


def lesson(chapter: ChapterFile) -> list[dict]:
    """Return the cells before the exercises."""
    ends = [n for n, _, text in chapter.headings if text == "Exercises"]
    return chapter.cells[: ends[0] - 1] if ends else chapter.cells


def in_order(found: Iterable[str], kind: str, start: str) -> list[str]:
    found = list(found)
    expected = [f"{kind} {start}.{number}" for number in range(1, len(found) + 1)]
    return [
        f"it is {right}, but it says {wrong}"
        for wrong, right in zip(found, expected, strict=True)
        if wrong != right
    ][:1]


def figures_are_numbered(chapter: ChapterFile) -> list[str]:
    """In a chapter with captions, each figure of the lesson has one. The numbers count
    up; a caption has at most 20 words, which are not those of the alternative text.
    """
    found = captions(chapter.notebook)
    if not found:
        return []
    problems = in_order(
        (number for number in numbers(chapter.notebook) if "figure" in number),
        "figure",
        prefix(chapter),
    )
    for output, caption in found:
        alts = [kind.get("alt") for kind in output["metadata"].values()]
        problems += filter(None, [caption_fault(caption, alts)])
    captioned = [id(output) for output, _ in found]
    return problems + [
        f"a figure has no caption: {text_of(output['data']['text/plain'])[:60]}"
        for cell in lesson(chapter)
        for output in cell.get("outputs", ())
        if is_figure(output) and id(output) not in captioned
    ]


def is_figure(output: dict) -> bool:
    html = text_of(output.get("data", {}).get("text/html", ""))
    return "image/png" in output.get("data", {}) or "<img" in html


def equations_are_numbered(chapter: ChapterFile) -> list[str]:
    """In a chapter with captions, each displayed equation of the lesson has a \\tag."""
    if not captions(chapter.notebook):
        return []
    shown = [
        token.content
        for cell in lesson(chapter)
        if cell["cell_type"] == "markdown"
        for token in markdown_tokens(text_of(cell["source"]))
        if token.type == "math_block"
    ]
    tags = [TAG.search(equation) for equation in shown]
    return in_order(
        (f"equation {tag[1] if tag else 'without number'}" for tag in tags),
        "equation",
        prefix(chapter),
    )


def references_exist(chapter: ChapterFile) -> list[str]:
    """Each "figure 8.4" and "equation 8.6" in the text exists."""
    problems = []
    for number, _, source in chapter.of_type("markdown"):
        for found in REFERENCE.finditer(source):
            known = numbers_of_page(chapter.path.parent, found[1])
            if found[0].lower() not in known | set(numbers(chapter.notebook)):
                problems.append(f"cell {number}: there is no {found[0]}")
    return problems


@cache
def numbers_of_page(folder: Path, start: str) -> frozenset[str]:
    """Return the numbers of the page on which they begin so."""
    digits = re.match(r"\d+", start)[0]
    name = f"{int(digits):02d}{start.removeprefix(digits)}_*.ipynb"
    return frozenset(
        number
        for path in folder.glob(name)
        for number in numbers(json.loads(path.read_text("utf8")))
    )


def folded_sections_fold(chapter: ChapterFile) -> list[str]:
    """The heading of a folded section is a cell of its own, and so is its last text:
    JupyterLab folds whole cells.
    """
    problems = []
    for section in folded_sections(chapter.cells):
        heading, *others = (
            text_of(chapter.cells[index]["source"]).strip()
            for index in section
            if chapter.cells[index]["cell_type"] == "markdown"
        )
        if "\n" in heading:
            problems.append(f"{heading[:50]!r} must be a cell of its own")
        problems += [
            f"{heading[:50]!r}: a heading inside a folded section: begin a cell with it"
            for text in others
            if HEADING.search(text)
        ]
    return problems


RULES = (
    figures_are_numbered,
    equations_are_numbered,
    references_exist,
    folded_sections_fold,
)
