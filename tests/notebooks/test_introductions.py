"""No chapter uses a term of the field, or a room of the package that teaches a method,
that neither the chapter itself nor anything it builds on has introduced.
"""

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from genai_tutorial.notebook import chapters
from genai_tutorial.notebook.chapters import Chapter
from tests.notebooks.chapter_file import ROOT, ChapterFile, text_of
from tests.notebooks.code_rules import without_magic

CHAPTERS = {chapter.number: chapter for chapter in chapters(ROOT)}
TERMS = json.loads((ROOT / "tests/notebooks/terms.json").read_text("utf8"))
# Terms that are also everyday words, and often used as such.
EVERYDAY = {
    "advantage", "agent", "alignment", "baseline", "benchmark", "budget",
    "demonstration", "environment", "extractable", "inference", "kernel", "objective",
    "planning", "policy", "round trip", "surprise", "tool", "trace", "trie",
}  # fmt: skip
# Rooms that every chapter may use: they load, train, measure or remember something.
COMMON = {"data", "metrics", "recipes", "tasks", "training"}
# Single functions that a chapter calls for their result, before their room is taught.
AHEAD = {(2, "efficiency"), (4, "edge"), (15, "efficiency")}


def known_chapters(chapter: Chapter) -> set[int]:
    """Return the chapter, all it builds on, and those of which it needs a section."""
    known, waiting = set(), [chapter]
    while waiting:
        one = waiting.pop()
        known |= {one.number, *(number for number, _ in one.needs)}
        waiting += [CHAPTERS[number] for number in one.builds_on]
    return known


def homes(introduced: Iterable[tuple[int, Iterable[str]]]) -> dict[str, set[int]]:
    found = defaultdict(set)
    for number, names in introduced:
        for name in names:
            found[name].add(number)
    return found


TERM_HOMES = homes(
    (int(page[:2]), terms) for page, terms in TERMS.items() if page[:2].isdigit()
)
ROOM_HOMES = homes(
    (number, ChapterFile.read(chapter.path).facts["rooms"])
    for number, chapter in CHAPTERS.items()
)


def lesson(chapter: ChapterFile) -> ChapterFile:
    """Return the chapter up to its exercises."""
    cells = []
    for cell in chapter.cells:
        source = text_of(cell["source"])
        if cell["cell_type"] == "markdown":
            source, *exercises = re.split(r"^## Exercises", source, flags=re.MULTILINE)
            cells.append({**cell, "source": source})
            if exercises:
                break
        else:
            cells.append(cell)
    return replace(chapter, text=json.dumps({**chapter.notebook, "cells": cells}))


def words(chapter: ChapterFile) -> tuple[str, str]:
    """Return the words that are linked or bold, and the others outside code, formulas,
    headings and tables.
    """
    introduced, prose, inside = [], [], set()
    for _, token in chapter.tokens:
        kind, _, edge = token.type.rpartition("_")
        if kind in ("link", "strong", "heading", "table") and edge in ("open", "close"):
            inside = inside | {kind} if edge == "open" else inside - {kind}
        text = token.content or " " if token.type in ("text", "softbreak") else "\n"
        if inside & {"link", "strong"}:
            introduced.append(text)
        elif not inside:
            prose.append(text)
    return "".join(introduced), "".join(prose)


def unknown_terms(chapter: Chapter) -> list[str]:
    """Return the terms that a reader meets without an introduction or a link."""
    linked, prose = words(lesson(ChapterFile.read(chapter.path)))
    known, found, folded = known_chapters(chapter), [], prose.lower()
    for term, introduced in TERM_HOMES.items():
        flags = re.IGNORECASE if term.islower() else 0
        pattern = re.compile(rf"(?<![\w-]){re.escape(term)}(?:e?s)?(?![\w-])", flags)
        if (
            term not in EVERYDAY
            and not introduced & known
            and term.lower() in folded
            and pattern.search(prose)
            and not pattern.search(linked)
        ):
            found.append(term)
    return found


def imported_rooms(chapter: ChapterFile) -> Iterator[str]:
    for _, _, source in lesson(chapter).of_type("code"):
        for node in ast.walk(ast.parse(without_magic(source))):
            if isinstance(node, ast.ImportFrom) and node.module:
                package, *room = node.module.split(".")
                if package == "genai_tutorial":
                    yield from room[:1] or [name.name for name in node.names]


def unknown_rooms(chapter: Chapter) -> set[str]:
    known = known_chapters(chapter)
    return {
        room
        for room in imported_rooms(ChapterFile.read(chapter.path))
        if room not in COMMON
        and (introduced := ROOM_HOMES.get(room))
        and not introduced & known
        and (chapter.number, room) not in AHEAD
    }


@pytest.mark.parametrize("chapter", CHAPTERS.values(), ids=lambda one: one.path.stem)
def test_terms_are_introduced_before_they_are_used(chapter: Chapter):
    assert not unknown_terms(chapter), "link the first use of each to the glossary"


@pytest.mark.parametrize("chapter", CHAPTERS.values(), ids=lambda one: one.path.stem)
def test_rooms_are_introduced_before_they_are_imported(chapter: Chapter):
    assert not unknown_rooms(chapter), "a chapter that it builds on must teach them"


def test_chapter_that_builds_on_nothing_is_detected():
    alone = replace(CHAPTERS[10], builds_on=(), needs=())
    assert unknown_terms(alone)
    assert "diffusion" not in unknown_rooms(alone), "the chapter itself teaches it"
    assert "multimodal" in unknown_rooms(alone)
