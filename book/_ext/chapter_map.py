"""The map of the book: a line through six parts with twenty-nine stations, drawn at
each build from the chapters that exist.

`{chapter-map}` draws it twice, in three columns for wide screens and in one for phones;
the style sheet shows one of them. `{chapter-list}` is the same as a list, and
`{chapter-count}` the number of chapters that are ready.
"""

from html import escape
from pathlib import Path

from _ext.outline import Part, read_outline
from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

ROW, HEADER, TOP = 31, 58, 12
WIDTHS = (295, 296, 264)  # column widths, for the longest title of each in bold
TRACK = 16  # position of the line within a column
# Distance of the dotted line from the next column's line, and of the text from the
# dotted line.
TURN, GAP = 18, 8


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
    """`{chapter-map}`."""

    def run(self):
        """Return a placeholder for the map."""
        self.env.note_dependency(str(Path(self.env.srcdir) / "book" / "outline.yml"))
        return [MapNode()]


class ChapterList(SphinxDirective):
    """`{chapter-list}`: parts and chapters as nested lists, with links and times of
    those that are ready.
    """

    def run(self):
        """Return the list."""
        lines = []
        for part in read_outline(Path(self.env.srcdir)):
            lines.append(f"- **{part.numeral}. {part.title}**")
            for chapter in part.chapters:
                if chapter.document:
                    times = (
                        (
                            f" ({chapter.reading_minutes} minutes to read, about "
                            f"{chapter.running_seconds} seconds to run)"
                        )
                        if chapter.reading_minutes and chapter.running_seconds
                        else ""
                    )
                    lines.append(
                        f"  - [{chapter.number}. "
                        f"{chapter.title}](/{chapter.document}.ipynb){times}"
                    )
                else:
                    lines.append(
                        f"  - {chapter.number}. {chapter.title} *(being written)*"
                    )
        return self.parse_text_to_nodes("\n".join(lines))


class ChapterCount(SphinxRole):
    """`` {chapter-count}`ready` `` or `` {chapter-count}`all` ``: a number in words."""

    def run(self):
        """Return the number."""
        chapters = [
            chapter
            for part in read_outline(Path(self.env.srcdir))
            for chapter in part.chapters
        ]
        number = sum(
            self.text == "all" or bool(chapter.document) for chapter in chapters
        )
        words = (
            "none",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
        )
        return [nodes.Text(words[number] if number < len(words) else str(number))], []


def visit_map(translator, node):
    """Draw the map into the page."""
    builder = translator.builder
    parts = read_outline(Path(builder.srcdir))

    def link(document: str) -> str:
        return builder.get_relative_uri(builder.current_docname, document)

    wide = draw_map(parts, [[1, 2], [3, 4], [5, 6]], "wide", link)
    narrow = draw_map(parts, [[1, 2, 3, 4, 5, 6]], "narrow", link)
    translator.body.append(f'<div class="chapter-map-frame">{wide}{narrow}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the extension with Sphinx."""
    app.add_node(MapNode, html=(visit_map, None))
    app.add_directive("chapter-map", ChapterMap)
    app.add_directive("chapter-list", ChapterList)
    app.add_role("chapter-count", ChapterCount())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
