"""What chapters build on: whole chapters, and single sections of others. A path through
the book that leaves such a chapter out still needs the section.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .chapters import Chapter, continuations
from .reading import minutes

_HEADING = re.compile(r"^(#{1,3}) +(.+?) *$", re.MULTILINE)
_EXERCISE = re.compile(r"^### Exercise .*\((\d+) minutes, \d+ points?\)", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A section of a chapter, or of a page that continues it, with its reading time."""

    chapter: Chapter
    page: Path
    heading: str
    reading_minutes: float

    @property
    def link(self) -> str:
        """Markdown link to the page, from the folder of the notebooks, because viewers
        disagree about the addresses of headings.
        """
        return f"[{self.heading}]({self.page.name})"


def heading_anchor(heading: str) -> str:
    """Return the address of a heading within its page in the book.

    >>> heading_anchor("The evidence lower bound (ELBO)")
    'the-evidence-lower-bound-elbo'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def read_section(chapter: Chapter, heading: str) -> Section:
    """Read a section, up to the next heading of the same or a higher level, from a
    chapter or from a page that continues it; an error unless there is exactly one.
    """
    found = [
        Section(chapter, page, heading, minutes(cells))
        for page in (chapter.path, *continuations(chapter))
        for cells in _sections(json.loads(page.read_text("utf8")), heading)
    ]
    if len(found) != 1:
        raise ValueError(
            f"chapter {chapter.number} has {len(found)} sections {heading!r}; name one."
        )
    return found[0]


def _sections(notebook: Mapping, heading: str) -> Iterator[list[Mapping]]:
    """Yield the cells of each section with this heading."""
    parts = list(_parts(notebook))
    headings = [
        (index, len(match[1]), match[2])
        for index, part in enumerate(parts)
        if part["cell_type"] == "markdown"
        and (match := _HEADING.match("".join(part["source"])))
    ]
    for start, level, text in headings:
        if text == heading:
            ends = (end for end, other, _ in headings if end > start and other <= level)
            yield parts[start : next(ends, None)]


def _parts(notebook: Mapping) -> Iterable[Mapping]:
    """Split the Markdown cells of a notebook before each heading."""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for text in re.split(r"^(?=#{1,3} )", source, flags=re.MULTILINE):
                yield {**cell, "source": text}
        else:
            yield cell


def needed_sections(path: Iterable[int], found: Sequence[Chapter]) -> list[Section]:
    """Return the sections that the chapters of a path need from chapters that do not
    come before them in it; an error if a chapter that another builds on does not.
    """
    by_number = {chapter.number: chapter for chapter in found}
    before, needed = set(), set()
    for number in path:
        chapter = by_number[number]
        if missing := set(chapter.builds_on) - before:
            raise ValueError(
                f"chapter {number} builds on {sorted(missing)}, which must come before "
                "it."
            )
        needed |= {need for need in chapter.needs if need[0] not in before}
        before.add(number)
    return [
        read_section(by_number[number], heading) for number, heading in sorted(needed)
    ]


def exercise_minutes(chapter: Chapter) -> int:
    """Return the minutes that a chapter's exercises state, added up."""
    cells = json.loads(chapter.path.read_text("utf8"))["cells"]
    sources = ("".join(cell["source"]) for cell in cells)
    return sum(int(found) for text in sources for found in _EXERCISE.findall(text))


def prerequisites(chapter: Chapter, found: Sequence[Chapter]) -> str:
    """Return what a chapter builds on, as Markdown for the table under its title."""
    by_number = {other.number: other for other in found}
    whole = [
        f"[{number}. {by_number[number].title}]({by_number[number].path.name})"
        for number in chapter.builds_on
    ]
    sections = [
        f"from {number}: {read_section(by_number[number], heading).link}"
        for number, heading in chapter.needs
    ]
    return "; ".join(whole + sections) or "nothing: start here"
