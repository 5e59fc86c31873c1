"""A kit for the book's schematics: boxes, arrows and texts, written as SVG.

One file serves every viewer. Its colours are the theme's CSS variables, with fallbacks
for viewers that load it as a picture, and each text states its width, so that the
layout stays the same in another font. Lengths are pixels; the book is 680 wide.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from itertools import pairwise
from pathlib import Path

from PIL import ImageFont

FONTS = Path(__file__).resolve().parents[1] / "_static" / "fonts"
WIDTH = 680
LINE = 18  # from one baseline to the next
SUBSCRIPT = 0.75  # size of subscripts
Point = tuple[float, float]

# Each kind has a line of its own as well as a colour: nothing depends on colour alone.
STYLE = """
.sch text{fill:var(--ink,#1f262c);font-family:var(--sans,"Source Sans 3","Source Sans Pro",system-ui,sans-serif);font-size:14px;text-anchor:middle}
.sch .b{font-weight:600}
.sch .s{font-size:12.5px;fill:var(--ink-soft,#565f66)}
.sch .i{font-style:italic}
.sch .c{font-family:var(--code,"Source Code Pro",ui-monospace,monospace);font-size:12px}
.sch .h{font-size:12px;font-weight:600;letter-spacing:.05em;text-transform:uppercase;fill:var(--ink-soft,#565f66)}
.sch .L{text-anchor:start}
.sch .R{text-anchor:end}
.sch .node{stroke-width:1.5}
.sch .map{fill:var(--paper-low,#f6f3ea);stroke:var(--ink,#1f262c);stroke-width:1.2}
.sch .copy{fill:var(--paper-high,#fff);stroke:var(--part-2,#1f5fae);stroke-dasharray:4 3}
.sch .data{fill:var(--paper-high,#fff);stroke:var(--line-strong,#9a927f)}
.sch .train{fill:var(--petrol-wash,#e2f0ee);stroke:var(--petrol,#00595f);stroke-width:2.5}
.sch .frozen{fill:var(--petrol-wash,#e2f0ee);stroke:var(--petrol,#00595f);stroke-dasharray:5 3}
.sch .loss{fill:var(--apricot-wash,#fdeede);stroke:var(--apricot,#a3480c)}
.sch .op{fill:var(--paper-high,#fff);stroke:var(--ink,#1f262c)}
.sch .ok{fill:var(--green-wash,#e6f3e8);stroke:var(--green,#17693f)}
.sch .no{fill:var(--red-wash,#fbe9e6);stroke:var(--red,#a62c2c);stroke-dasharray:3 2}
.sch .group{fill:none;stroke:var(--line-strong,#9a927f);stroke-dasharray:2 3}
.sch .mark{fill:var(--ink,#1f262c);stroke:none}
.sch .mark.skip,.sch .mark.copy{fill:var(--part-2,#1f5fae)}
.sch .line{fill:none;stroke:var(--ink,#1f262c);stroke-width:1.5}
.sch .line.skip{stroke:var(--part-2,#1f5fae)}
.sch .line.back{stroke:var(--apricot,#a3480c);stroke-dasharray:6 4}
.sch .mark.back{fill:var(--apricot,#a3480c)}
.sch .line.ghost{stroke:var(--line-strong,#9a927f)}
.sch .line.train{stroke:var(--petrol,#00595f);stroke-width:2.5}
.sch .mark.train{fill:var(--petrol,#00595f)}
.sch .frame{fill:none;stroke:var(--line-strong,#9a927f)}
.sch .paper{fill:#fff}
.sch .ink{fill:#1f262c}
.sch .dots{fill:none;stroke:var(--part-2,#1f5fae);stroke-width:2.6;stroke-linecap:round}
.sch .dots.faint{stroke:var(--line-strong,#9a927f)}
.sch .bg{fill:var(--paper,#fff)}
.sch .halo{stroke:var(--paper,#fff);stroke-width:5px;paint-order:stroke;stroke-linejoin:round}
"""  # noqa: E501
# Font, size and weight of each kind of text.
TEXTS = {
    "": ("source-sans-3-latin-wght-normal", 14, 400),
    "b": ("source-sans-3-latin-wght-normal", 14, 600),
    "s": ("source-sans-3-latin-wght-normal", 12.5, 400),
    "i": ("source-sans-3-latin-wght-italic", 14, 400),
    "c": ("source-code-pro-latin-wght-normal", 12, 400),
    "h": ("source-sans-3-latin-wght-normal", 12, 600),
}


@cache
def _font(name: str, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(str(FONTS / f"{name}.woff2"), 100)
    font.set_variation_by_axes([weight])
    return font


def text_width(text: str, kind: str = "") -> float:
    """Return the width of a line of text in the book's fonts."""
    name, size, weight = TEXTS[kind]
    spacing = 0.0
    if kind == "h":
        text, spacing = text.upper(), 0.05 * size * len(text)
    font = _font(name, weight)
    parts = zip(_parts(text), itertools.cycle((1, SUBSCRIPT)), strict=False)
    return sum(font.getlength(p) * scale for p, scale in parts) * size / 100 + spacing


def _parts(text: str) -> list[str]:
    """Return what stands on the line and below it, by turns, in "x_{t} and x_{0}"."""
    return re.split(r"_\{(.*?)\}", text)


def _markup(text: str) -> str:
    """Return a line with its subscripts as SVG."""
    plain, *rest = map(escape, _parts(text))
    for below, after in zip(rest[::2], rest[1::2], strict=True):
        plain += f'<tspan dy="3" font-size="{SUBSCRIPT:.0%}">{below}</tspan>'
        plain += f'<tspan dy="-3">{after}</tspan>' if after else ""
    return plain


@dataclass(frozen=True)
class Node:
    """A rectangle, and the middles of its sides, where arrows begin and end."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> Point:
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> Point:
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> Point:
        return self.x + self.width / 2, self.y + self.height


class Schematic:
    """A drawing of one method.

    Args:
        name: The name of its file.
        alt: Description for readers who cannot see it, in at most 250 characters.
    """

    def __init__(self, name: str, height: float, title: str, alt: str) -> None:
        self.name, self.height, self.title = name, height, title
        self.alt = " ".join(alt.split())
        self.parts: list[str] = []

    def text(
        self,
        text: str,
        x: float,
        y: float,
        kind: str = "",
        side: str = "",
        *,
        halo: bool = False,
    ) -> None:
        """Write a line with its baseline at `y` and its middle at `x`; on side "L" it
        begins there, and on side "R" it ends there. A halo covers lines behind it.
        Subscripts are written as in "x_{t}".
        """
        classes = " ".join(filter(None, (kind, side, "halo" if halo else "")))
        self.parts.append(
            f'<text class="{classes}" x="{x:g}" y="{y:g}" textLength='
            f'"{text_width(text, kind):.0f}" lengthAdjust="spacingAndGlyphs">'
            f"{_markup(text)}</text>"
        )

    def box(
        self,
        text: str,
        x: float,
        y: float,
        width: float | None = None,
        height: float | None = None,
        kind: str = "data",
        *,
        note: str = "",
        shape: str = "box",
        face: str = "b",
    ) -> Node:
        """Draw a box with lines of text in the middle: the first in `face`, those of
        `note` small. The shape is box, narrow (an encoder), widen (a decoder) or map.
        """
        lines = [
            (line, face if index == 0 else "")
            for index, line in enumerate(text.splitlines())
        ] + [(line, "s") for line in note.splitlines()]
        width = width or max(text_width(*line) for line in lines) + 24
        height = height or LINE * len(lines) + 14
        if shape in ("narrow", "widen"):
            slope = min(0.18 * height, 14)
            near, far = (0, slope) if shape == "narrow" else (slope, 0)
            self.parts.append(
                f'<path class="node {kind}" stroke-linejoin="round" d="M{x:g} '
                f"{y + near:g}L{x + width:g} {y + far:g}V{y + height - far:g}L{x:g} "
                f'{y + height - near:g}Z"/>'
            )
        else:
            radius = 1.5 if shape == "map" else 6
            self.parts.append(
                f'<rect class="node {kind}" x="{x:g}" y="{y:g}" width="{width:g}" '
                f'height="{height:g}" rx="{radius:g}"/>'
            )
        first = y + height / 2 - LINE * len(lines) / 2 + 13.5
        for index, (line, of_line) in enumerate(lines):
            self.text(line, x + width / 2, first + LINE * index, of_line)
        return Node(x, y, width, height)

    def feature_map(
        self, x: float, y: float, width: float, side: float, kind: str = "map"
    ) -> Node:
        """Draw a feature map whose left edge has its middle at a point."""
        return self.box("", x, y - side / 2, width, side, kind, shape="map")

    def picture(self, rows: Sequence[str], x: float, y: float, side: float) -> Node:
        """Draw a small grey image, given as rows of ink from 0 to 9."""
        size = side / len(rows)
        self.parts.append(
            f'<rect class="paper" x="{x:g}" y="{y:g}" width="{side:g}" '
            f'height="{side:g}"/>'
        )
        for row, line in enumerate(rows):
            for column, ink in enumerate(line):
                if ink != "0":
                    self.parts.append(
                        f'<rect class="ink" x="{x + column * size:g}" '
                        f'y="{y + row * size:g}" width="{size:g}" height="{size:g}" '
                        f'opacity="{int(ink) / 9:.2g}"/>'
                    )
        return self.box("", x, y, side, side, "frame", shape="map")

    def points(self, cloud: Sequence[Point], kind: str = "") -> None:
        """Draw a cloud of points."""
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in cloud)
        self.parts.append(f'<path class="dots {kind}" d="{dots}"/>')

    def operation(self, sign: str, x: float, y: float, radius: float = 11) -> Node:
        """Draw a sign in a circle around a point."""
        self.parts.append(
            f'<circle class="node op" cx="{x:g}" cy="{y:g}" r="{radius:g}"/>'
        )
        self.text(sign, x, y + 5, "b")
        return Node(x - radius, y - radius, 2 * radius, 2 * radius)

    def branch(self, x: float, y: float) -> None:
        """Mark a point where a line branches."""
        self.parts.append(f'<circle class="mark" cx="{x:g}" cy="{y:g}" r="3.2"/>')

    def group(self, text: str, x: float, y: float, width: float, height: float) -> None:
        """Draw a dotted frame with a heading inside its upper edge."""
        self.parts.append(
            f'<rect class="group" x="{x:g}" y="{y:g}" width="{width:g}" '
            f'height="{height:g}" rx="10"/>'
        )
        self.text(text, x + 12, y + 18, "h", "L")

    def arrow(
        self,
        start: Point,
        end: Point,
        label: str = "",
        kind: str = "",
        *,
        via: Sequence[Point] = (),
        at: float = 0.5,
        shift: Point = (0, -6),
        side: str = "",
    ) -> None:
        """Draw an arrow with round corners at `via`. Its label stands on its longest
        part, `at` this share of the way, moved by `shift`.
        """
        points = [start, *via, end]
        path = "M{:g} {:g}".format(*start)
        for before, corner, after in zip(points, points[1:], points[2:], strict=False):
            one, two = _towards(corner, before, 9), _towards(corner, after, 9)
            path += "L{:g} {:g}Q{:g} {:g} {:g} {:g}".format(*one, *corner, *two)
        path += "L{:g} {:g}".format(*_towards(end, points[-2], 6))
        self.parts.append(f'<path class="line {kind}" d="{path}"/>')
        self._tip(points[-2], end, kind)
        longest = max(pairwise(points), key=lambda ends: _distance(*ends))
        x, y = (a + at * (b - a) for a, b in zip(*longest, strict=True))
        lines = label.splitlines()
        for index, line in enumerate(lines):
            up = 15 * (len(lines) - 1 - index)
            self.text(line, x + shift[0], y + shift[1] - up, "s", side, halo=True)

    def _tip(self, before: Point, end: Point, kind: str) -> None:
        (u, v), (x, y) = _direction(before, end), end
        self.parts.append(
            f'<path class="mark {kind}" d="M{x:g} {y:g}'
            f"L{x - 8 * u - 4 * v:.1f} {y - 8 * v + 4 * u:.1f}"
            f'L{x - 8 * u + 4 * v:.1f} {y - 8 * v - 4 * u:.1f}Z"/>'
        )

    def legend(self, x: float, y: float, *kinds: tuple[str, str]) -> None:
        """Explain kinds of boxes in one line: pairs of kind and text."""
        for kind, text in kinds:
            self.parts.append(
                f'<rect class="node {kind}" x="{x:g}" y="{y - 10:g}" width="20" '
                'height="13" rx="3"/>'
            )
            self.text(text, x + 27, y + 1, "s", "L")
            x += 49 + text_width(text, "s")

    def svg(self) -> str:
        """Return the drawing as the text of an SVG file."""
        title, description = f"{self.name}-title", f"{self.name}-text"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="sch" viewBox="0 0 {WIDTH} '
            f'{self.height:g}" width="{WIDTH}" height="{self.height:g}" role="img" '
            f'aria-labelledby="{title} {description}">'
            f'<title id="{title}">{escape(self.title)}</title>'
            f'<desc id="{description}">{escape(self.alt)}</desc>'
            f"<style>{STYLE.strip()}</style>"
            f'<rect class="bg" width="{WIDTH}" height="{self.height:g}"/>'
            + "\n".join(self.parts)
            + "</svg>\n"
        )


def _distance(start: Point, end: Point) -> float:
    return ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5


def _direction(start: Point, end: Point) -> Point:
    length = _distance(start, end)
    return (end[0] - start[0]) / length, (end[1] - start[1]) / length


def _towards(start: Point, end: Point, length: float) -> Point:
    """Return the point at this distance from the start, at most half-way."""
    u, v = _direction(start, end)
    length = min(length, _distance(start, end) / 2)
    return start[0] + length * u, start[1] + length * v
