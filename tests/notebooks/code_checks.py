"""Rules for the code and the claims of a chapter.

These rules are younger than the first chapters, whose remaining faults are listed in
`exceptions.json`. So each check returns its faults by a key that can be listed there:
the id of a cell, the statement of a claim, the name of a module.
"""

import re

from genai_tutorial.notebook.chapters import recorded_claims, recorded_times
from tests.notebooks.chapter_file import ChapterFile

COLUMNS = 88
LINES = 30
WORDS = 18
SECONDS = 90

# Matches modules inside a room, as in `from genai_tutorial.room.module import name` and
# `import genai_tutorial.room.module`. Each task, such as tasks.shapes, and each
# science, such as science.peptides, is a room.
BELOW_A_ROOM = re.compile(
    r"^\s*(?:from|import)\s+(genai_tutorial(?!\.(?:tasks|science)\.\w+\s)(?:\.\w+){2,})",
    re.MULTILINE,
)

Faults = dict[str, str]


def shown_cells(chapter: ChapterFile) -> list[tuple[dict, str]]:
    """Return the code cells that the page shows unfolded. Figures, solutions and the
    installation on Colab are folded.
    """
    return [
        (cell, source)
        for _, cell, source in chapter.of_type("code")
        if "hide-input" not in cell["metadata"].get("tags", [])
    ]


def shown_code_fits_the_page(chapter: ChapterFile) -> Faults:
    """Shown code must not need horizontal scrolling."""
    widths = {
        cell["id"]: max(map(len, source.splitlines()), default=0)
        for cell, source in shown_cells(chapter)
    }
    return {
        name: f"a line of {width} columns; {COLUMNS} fit on the page"
        for name, width in widths.items()
        if width > COLUMNS
    }


def shown_cells_are_short(chapter: ChapterFile) -> Faults:
    """A shown cell contains one step. Graded cells may be longer."""
    counts = {
        cell["id"]: sum(1 for line in source.splitlines() if line.strip())
        for cell, source in shown_cells(chapter)
        if "nbgrader" not in cell["metadata"]
    }
    return {
        name: f"{count} lines of code; a cell that is not folded has at most {LINES}"
        for name, count in counts.items()
        if count > LINES
    }


def claims_are_short(chapter: ChapterFile) -> Faults:
    """A statement is short; further measurements belong in a table."""
    return {
        statement: f"{words} words; a statement has at most {WORDS}"
        for claim in recorded_claims(chapter.notebook)
        if (words := len((statement := claim["statement"]).split())) > WORDS
    }


def claims_have_something_to_beat(chapter: ChapterFile) -> Faults:
    """Each claim has a baseline, refers to a record, or is exact."""
    return {
        claim["statement"]: (
            "give a baseline: claim(..., baseline=...), or recorded=... for a "
            "number from a record, or exact=True for an identity or an equality"
        )
        for claim in recorded_claims(chapter.notebook)
        if not claim.keys() & {"baseline", "recorded", "exact"}
    }


def imports_come_from_rooms(chapter: ChapterFile) -> Faults:
    """A chapter imports from a room of the package, never from a module inside it."""
    return {
        module: f"import it from the room above {module}"
        for _, _, source in chapter.of_type("code")
        for module in BELOW_A_ROOM.findall(source)
    }


def runs_in_the_time_of_a_chapter(chapter: ChapterFile) -> Faults:
    """A chapter runs within the time limit."""
    time = recorded_times(chapter.path.parent).get(chapter.path.stem)
    if time is None or time.seconds <= SECONDS:
        return {}
    fault = f"it ran {time.seconds} s; a chapter may run {SECONDS} s"
    return {"the whole notebook": fault}


CHECKS = (
    shown_code_fits_the_page,
    shown_cells_are_short,
    claims_are_short,
    claims_have_something_to_beat,
    imports_come_from_rooms,
    runs_in_the_time_of_a_chapter,
)
