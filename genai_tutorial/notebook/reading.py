"""A rule for the reading time of a chapter, so that every chapter is measured alike:
words, shown lines of code, figures and displayed equations before its exercises.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

WORDS_A_MINUTE = 200
SECONDS_A_LINE = 4
SECONDS_A_FIGURE = 30  # or a displayed equation

_EQUATION = re.compile(r"\$\$.+?\$\$", re.DOTALL)
# Unread text: folded answers, formulas, tags and the addresses of links.
_UNREAD = re.compile(
    r"<details>.*?</details>|\$[^$]+\$|<[^>]+>|(?<=\])\([^)]*\)", re.DOTALL
)
FURTHER = re.compile(r"#+ Further: ")
_MINUTES = re.compile(r"(?<=\| )\d+ minutes(?= \|)")


def reading_minutes(notebook: Mapping) -> int:
    """Return the minutes that it takes to read an executed notebook up to its
    exercises. Folded code and folded sections do not count; code that `show_source`
    prints does.
    """
    cells = list(_before_exercises(notebook))
    folded = {index for section in folded_sections(cells) for index in section}
    return round(
        minutes(cell for index, cell in enumerate(cells) if index not in folded)
    )


def minutes(cells: Iterable[Mapping]) -> float:
    """Return the minutes that it takes to read these cells."""
    words = lines = figures = 0
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            figures += len(_EQUATION.findall(source))
            words += len(_UNREAD.sub("", _EQUATION.sub("", source)).split())
            continue
        folded = "hide-input" in cell["metadata"].get("tags", ())
        lines += 0 if folded else _lines(source)
        for output in cell["outputs"]:
            data = output.get("data", {})
            figures += "image/png" in data or "<img" in "".join(
                data.get("text/html", "")
            )
            if "source" in output.get("metadata", {}).get("genai_tutorial", {}):
                lines += _lines("".join(data["text/plain"]))
    seconds = SECONDS_A_LINE * lines + SECONDS_A_FIGURE * figures
    return words / WORDS_A_MINUTE + seconds / 60


def folded_sections(cells: Sequence[Mapping]) -> list[range]:
    """Return the cell indices of each folded section: from a heading "Further: ..." to
    the next cell that begins with a heading.
    """
    starts = [
        index
        for index, cell in enumerate(cells)
        if cell["cell_type"] == "markdown" and "".join(cell["source"]).startswith("#")
    ]
    return [
        range(start, end)
        for start, end in pairwise([*starts, len(cells)])
        if FURTHER.match("".join(cells[start]["source"]))
    ]


def _before_exercises(notebook: Mapping) -> Iterator[Mapping]:
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and re.search(
            r"^## Exercises", source, re.M
        ):
            return
        yield cell


def _lines(text: str) -> int:
    return sum(bool(line.strip()) for line in text.splitlines())


def with_minutes(opening: str, minutes: int) -> str:
    """Return the text of a chapter's first cell with this reading time in its table.

    >>> with_minutes("| 60 minutes | 40 s |", 45)
    '| 45 minutes | 40 s |'
    """
    return _MINUTES.sub(f"{minutes} minutes", opening)
