"""The map of the book: a line through the parts with a station for each chapter,
drawn at each build from `book/outline.yml` and the chapters that exist.

`{chapter-map}` draws it twice, in three columns for wide screens and in one for phones;
the style sheet shows one of them. `{chapter-list}` is the same as a list, and
`{chapter-count}` the number of chapters. `{paths} NAME` is a table from
`book/paths.yml`.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

ROW, HEADER, TOP = 31, 58, 12
WIDTHS = (295, 296, 264)  # column widths, for the longest title of each in bold
TRACK = 16  # position of the line within a column
# Distance of the dotted line from the next column's line, and of the text from the
# dotted line.
TURN, GAP = 18, 8
NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")


@dataclass(frozen=True)
class Chapter:
    """One chapter; what is known of its page is None if it does not exist yet."""

    number: int
    title: str
    document: str | None = None
    reading_minutes: int | None = None
    running_seconds: int | None = None


@dataclass(frozen=True)
class Part:
    number: int
    title: str
    chapters: tuple[Chapter, ...]

    @property
    def numeral(self) -> str:
        return f"Part {NUMERALS[self.number - 1]}"


def read_outline(root: Path) -> list[Part]:
    """Return the parts of the book in the repository `root`."""
    from genai_tutorial.notebook import chapters

    ready = {chapter.number: chapter for chapter in chapters(root)}
    outline = yaml.safe_load((root / "book" / "outline.yml").read_text("utf8"))
    parts, number = [], -1  # the first is chapter 0
    for index, part in enumerate(outline, start=1):
        planned = []
        for title in part["chapters"]:
            number += 1
            found = ready.get(number)
            if found is None:
                planned.append(Chapter(number, title))
            elif found.title != title:
                raise ValueError(
                    f"chapter {number} is {title!r} in outline.yml and {found.title!r} "
                    "in its notebook"
                )
            else:
                times = (found.reading_minutes, found.running_seconds)
                document = f"notebooks/{found.path.stem}"
                planned.append(Chapter(number, title, document, *times))
        parts.append(Part(index, part["title"], tuple(planned)))
    return parts


def draw_map(parts: list[Part], columns: list[list[int]], kind: str, link) -> str:
    """Return the map as SVG.

    Args:
        parts: parts of the book.
        columns: numbers of the parts in each column, from the left.
        kind: "wide" or "narrow"; the style sheet shows one of them.
        link: maps the name of a page to its address.
    """
    tracks, labels, bottoms = [], [], []
    for column, numbers in enumerate(columns):
        x, y = sum(WIDTHS[:column]) + TRACK, TOP
        # The space for a column's text, from its stops to the dotted line.
        left, room = x - 12, WIDTHS[column] - TURN - GAP + 12
        words = []
        for part in (parts[number - 1] for number in numbers):
            words.append(
                f'<g class="part-{part.number}">'
                f'<text class="map-part" x="{x + 22}" '
                f'y="{y + 21}">{escape(part.numeral)}</text>'
                f'<text class="map-part-title" x="{x + 22}" '
                f'y="{y + 43}">{escape(part.title)}</text></g>'
            )
            last = y + HEADER + (len(part.chapters) - 1) * ROW + ROW // 2
            tracks.append(
                f'<path class="map-line part-{part.number}" d="M{x} {y + 10}V{last}"/>'
            )
            y += HEADER
            for chapter in part.chapters:
                words.append(
                    _station(chapter, part.number, x, y + ROW // 2, room, link)
                )
                y += ROW
        bottoms.append(y - ROW // 2)
        labels.append(
            f'<g class="map-column"><rect class="map-room" x="{left}" y="{TOP}" '
            f'width="{room}" height="{y - TOP}"/>{"".join(words)}</g>'
        )
    turns = []
    for column, bottom in enumerate(bottoms[:-1]):
        x = sum(WIDTHS[:column]) + TRACK
        right, up, low, r = x + WIDTHS[column] - TURN, TOP + 10, max(bottoms) + 30, 9
        turns.append(
            f'<path class="map-turn" d="M{x} {bottom}V{low - r}q0 {r} {r} '
            f"{r}H{right - r}q{r} 0 {r} -{r}V{up - 6}"
            f'q0 -{r} {r} -{r}q{r} 0 {r} {r}V{up}"/>'
        )
    width, height = sum(WIDTHS[: len(columns)]), max(bottoms) + 36
    chapters = [chapter for part in parts for chapter in part.chapters]
    ready = [str(chapter.number) for chapter in chapters if chapter.document]
    description = (
        f"One line runs through {len(parts)} parts with {len(chapters)} chapters. "
        f"Ready: {', '.join(ready) or 'none'}. The list below the map says the same in "
        "words."
    )
    return (
        f'<svg class="chapter-map map-{kind}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" '
        f'role="group" aria-labelledby="map-title-{kind}" '
        f'aria-describedby="map-words-{kind}">'
        f'<title id="map-title-{kind}">The map of the book</title><desc '
        f'id="map-words-{kind}">{description}</desc>'
        + "".join(turns + tracks + labels)
        + "</svg>"
    )


def _station(chapter, part: int, x: int, y: int, width: int, link) -> str:
    state = "ready" if chapter.document else "planned"
    text = (
        f'<circle class="map-stop" cx="{x}" cy="{y}" '
        f'r="{9 if chapter.document else 7}"/>'
        f'<text class="map-number" x="{x + 22}" y="{y + 5}">{chapter.number}</text>'
        f'<text class="map-title" x="{x + 43}" '
        f'y="{y + 5}">{escape(chapter.title)}</text>'
    )
    if not chapter.document:
        return f'<g class="part-{part} {state}">{text}</g>'
    area = (
        f'<rect class="map-area" x="{x - 12}" y="{y - 14}" width="{width}" height="28" '
        'rx="6"/>'
    )
    return (
        f'<a class="part-{part} {state}" '
        f'href="{escape(link(chapter.document))}">{area}{text}</a>'
    )


class MapNode(nodes.General, nodes.Element):
    """A placeholder for the map, which is drawn when the page is written, because the
    addresses are known only then.
    """


class ChapterMap(SphinxDirective):
    def run(self):
        self.env.note_dependency(str(Path(self.env.srcdir) / "book" / "outline.yml"))
        return [MapNode()]


class ChapterList(SphinxDirective):
    """`{chapter-list}`: parts and chapters as nested lists, with links and times of
    those that are ready.
    """

    def run(self):
        lines = []
        for part in read_outline(Path(self.env.srcdir)):
            lines.append(f"- **{part.numeral}. {part.title}**")
            for chapter in part.chapters:
                name = f"{chapter.number}. {chapter.title}"
                if not chapter.document:
                    lines.append(f"  - {name} *(being written)*")
                    continue
                lines.append(f"  - [{name}](/{chapter.document}.ipynb)")
                if chapter.reading_minutes and chapter.running_seconds:
                    lines[-1] += (
                        f" ({chapter.reading_minutes} minutes to read, about "
                        f"{chapter.running_seconds} seconds to run)"
                    )
        return self.parse_text_to_nodes("\n".join(lines))


class Paths(SphinxDirective):
    """`{paths} NAME`: paths through the book, with the sections that each of them needs
    from chapters that it leaves out, and its times.
    """

    required_arguments = 1

    def run(self):
        root = Path(self.env.srcdir)
        source = root / "book" / "paths.yml"
        self.env.note_dependency(str(source))
        text = source.read_text("utf8")
        return self.parse_text_to_nodes(
            paths_table(yaml.safe_load(text)[self.arguments[0]], root)
        )


def paths_table(paths: dict, root: Path) -> str:
    """Return paths as a Markdown table. The rows of a course follow each other; other
    rows stand alone.
    """
    from genai_tutorial.notebook import chapters
    from genai_tutorial.notebook.paths import (
        exercise_minutes,
        heading_anchor,
        needed_sections,
    )

    found = chapters(root)
    by_number = {chapter.number: chapter for chapter in found}
    first, *others = paths["columns"]
    titles = [first, "chapters", *others, "and from", "to read", "to run", "exercises"]
    lines = [titles, ["---"] * len(titles)]
    before, known = [], []  # chapters and sections of the rows above, in a course
    for row in paths["rows"]:
        path = [by_number[number] for number in row["chapters"]]
        sections = needed_sections(before + row["chapters"], found)
        sections = [one for one in sections if one not in known]
        times = (
            sum(one.reading_minutes for one in path + sections),
            sum(chapter.running_seconds or 0 for chapter in path) / 60,
            sum(map(exercise_minutes, path)),
        )
        lines.append(
            [
                str(row[first]),
                ", ".join(map(str, row["chapters"])),
                *(row[name] for name in others),
                "; ".join(
                    f"{one.chapter.number} [{one.heading}](/notebooks/{one.page.name}"
                    f"#{heading_anchor(one.heading)})"
                    for one in sections
                ),
                *map(spoken_minutes, times),
            ]
        )
        if paths.get("course"):
            before, known = before + row["chapters"], known + sections
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def spoken_minutes(minutes: float) -> str:
    """Format a time for a table.

    >>> spoken_minutes(89.6).split(), spoken_minutes(200).split()
    (['90', 'min'], ['3.3', 'h'])
    """
    text = f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


class ChapterCount(SphinxRole):
    """`` {chapter-count}`all` ``."""

    def run(self):
        parts = read_outline(Path(self.env.srcdir))
        return [nodes.Text(str(sum(len(part.chapters) for part in parts)))], []


def visit_map(translator, node):
    """Draw the map into the page."""
    builder = translator.builder
    parts = read_outline(Path(builder.srcdir))

    def link(document: str) -> str:
        return builder.get_relative_uri(builder.current_docname, document)

    wide = draw_map(parts, [[1, 2], [3, 4], [5, 6, 7]], "wide", link)
    narrow = draw_map(parts, [[1, 2, 3, 4, 5, 6, 7]], "narrow", link)
    translator.body.append(f'<div class="chapter-map-frame">{wide}{narrow}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_node(MapNode, html=(visit_map, None))
    app.add_directive("chapter-map", ChapterMap)
    app.add_directive("chapter-list", ChapterList)
    app.add_directive("paths", Paths)
    app.add_role("chapter-count", ChapterCount())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
