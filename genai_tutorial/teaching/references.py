"""Find parts of a chapter by what its reader sees: figures and equations by number,
claims and printed lines by their words, functions by name.
"""

import ast
import json
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from .exercises import TeachingError

NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
_EQUATION = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_TAG = re.compile(r"\s*\\tag\{(.+?)\}")
_OPPONENTS = ("baseline", "versus")


class NotFoundError(Exception):
    """Raised if a reference names nothing in the chapter, or more than one thing."""


@dataclass(frozen=True)
class Figure:
    """One figure of a chapter: a schematic as SVG, or an image as Base64."""

    alt: str
    svg: str
    png: str
    frame: str = ""  # positions of the sliders, if a frame was chosen


@dataclass(frozen=True)
class ReaderView:
    """What a reader sees of an executed notebook."""

    cells: list[dict]

    @cached_property
    def outputs(self) -> list[dict]:
        """All outputs."""
        return [output for cell in self.cells for output in cell.get("outputs", ())]

    @cached_property
    def printed(self) -> list[list[str]]:
        """The printed lines of each cell."""
        return [_lines(cell) for cell in self.cells if cell["cell_type"] == "code"]

    def output(self, words: str, count: int) -> list[str]:
        """Return `count` printed lines from the only line that contains these words."""
        found = [
            (block, index)
            for block in self.printed
            for index, line in enumerate(block)
            if words in line
        ]
        block, index = _only(found, f"printed line with {words!r}")
        if len(block) < index + count:
            raise NotFoundError(
                f"only {len(block) - index} lines are printed from {words!r} on, not "
                f"{count}"
            )
        return block[index : index + count]

    def bars(self, words: str, count: int) -> list[tuple[str, str]]:
        """Return the label and the last number, with its unit, of each of `count`
        lines from the first that contains these words.
        """
        for block in self.printed:
            for index, line in enumerate(block):
                if words in line and len(block) >= index + count:
                    return [_bar(line) for line in block[index : index + count]]
        raise NotFoundError(f"no {count} printed lines begin with one with {words!r}")

    def equation(self, number: str) -> str:
        """Return an equation's LaTeX without its number."""
        found = [
            _TAG.sub("", latex).strip()
            for cell in self.cells
            if cell["cell_type"] == "markdown"
            for latex in _EQUATION.findall("".join(cell["source"]))
            if (tag := _TAG.search(latex)) and tag[1] == number
        ]
        return _only(found, f"equation {number}")

    def code(self, name: str) -> list[str]:
        """Return the lines of a function or class, without its docstring."""
        found = [
            code
            for cell in self.cells
            if cell["cell_type"] == "code" and "nbgrader" not in cell["metadata"]
            for code in _definitions("".join(cell["source"]), name)
        ]
        return _only(found, f"cell that defines {name}")

    def figure(self, number: str, frame: str | None = None) -> Figure:
        """Return a numbered figure; of an interactive one, the frame at these positions
        of its sliders, such as "temperature 0.6, top-p 0.9", or the first.
        """
        found = [
            output
            for output, below in pairwise(self.outputs)
            if _fact(below, "caption").startswith(f"Figure {number}. ")
        ]
        output = _only(found, f"figure {number}")
        data = {kind: "".join(content) for kind, content in output["data"].items()}
        alt = output["metadata"].get("image/png", {}).get("alt", "")
        svg, png = data.get("image/svg+xml", ""), data.get("image/png", "")
        page = data.get("text/html", "")
        if frame is not None:
            return _frame(page, number, frame)
        if not svg and not png:
            png, alt = _first_image(page, number)
        return Figure(alt, svg, png)

    def claim(self, beginning: str) -> dict:
        """Return the claim whose statement begins with these words."""
        found = [
            claim
            for output in self.outputs
            if (claim := _fact(output, "claim"))
            and claim["statement"].startswith(beginning)
        ]
        return _only(found, f"claim that begins with {beginning!r}")

    def measured(self, beginning: str, label: str) -> float:
        """Return the number with this label in a claim's box; the label is empty for a
        claim with a single number.
        """
        claim = self.claim(beginning)
        for part in ("measured", *_OPPONENTS):
            if number := number_named(claim.get(part, ""), label):
                return as_number(number)
        raise NotFoundError(
            f"the claim {claim['statement']!r} has no number with the label {label!r}: "
            f"{claim['measured']}"
        )

    def match(self, pattern: str) -> re.Match:
        """Return the match of a regular expression in the only line with one."""
        try:
            found = [
                match
                for block in self.printed
                for line in block
                if (match := re.search(pattern, line))
            ]
        except re.error as error:
            raise NotFoundError(
                f"{pattern!r} is no regular expression: {error}"
            ) from error
        return _only(found, f"printed line that matches {pattern!r}")


def read_view(notebook: Path) -> ReaderView:
    """Read what a reader sees of a notebook."""
    try:
        return ReaderView(json.loads(notebook.read_text("utf8"))["cells"])
    except (OSError, ValueError, KeyError) as error:
        raise TeachingError(
            f"{notebook} cannot be read as a notebook: restore it, or give another."
        ) from error


def number_named(text: str, name: str) -> str | None:
    """Return the number called `name` in the text of a claim's numbers, or None.

    >>> number_named("Paris: 0.97; Rome: 1,200; the rest: 3", "Rome")
    '1,200'
    >>> number_named("0.42 (95% interval 0.30 to 0.54)", "")
    '0.42'
    """
    number = r"(-?[\d,]*\d(?:\.\d*)?(?:e-?\d+)?)(?: \(95% interval [^)]*\))?(?=; |$)"
    start = rf"(?:^|; ){re.escape(name)}: " if name else "^"
    found = re.search(start + number, text)
    return found[1] if found else None


def as_number(text: str) -> float:
    """Return a printed number.

    >>> as_number("1,200.5"), as_number("−3")
    (1200.5, -3.0)
    """
    return float(text.replace(",", "").replace("−", "-"))


def _only(found: list, what: str):
    if len(found) != 1:
        count = f"more than one {what} ({len(found)})" if found else f"no {what}"
        raise NotFoundError(f"the chapter has {count}")
    return found[0]


def _first_image(page: str, number: str) -> tuple[str, str]:
    image = re.search(r'<img[^>]*src="data:image/png;base64,([^"]+)"', page)
    text = re.search(r'<img[^>]*alt="([^"]*)"', page)
    if image is None:
        raise NotFoundError(f"figure {number} has no image")
    return image[1], text[1] if text else ""


def _frame(page: str, number: str, frame: str) -> Figure:
    data = re.search(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    if data is None:
        raise NotFoundError(f"figure {number} has no sliders")
    frames = json.loads(data[1])
    found = [n for n, alt in enumerate(frames["alts"]) if alt.endswith(f"({frame}).")]
    index = _only(found, f"frame {frame!r} of figure {number}")
    images = [_first_image(page, number)[0], *frames["frames"]]
    return Figure(frames["alts"][index], "", images[index], frame)


def _fact(output: dict, name: str):
    return output.get("metadata", {}).get("genai_tutorial", {}).get(name, "")


def _lines(cell: dict) -> list[str]:
    parts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if output["output_type"] == "stream":
            parts.append("".join(output["text"]))
        elif not output["metadata"] and not any("image" in kind for kind in data):
            parts.append("".join(data.get("text/plain", "")) + "\n")
    return "".join(parts).splitlines()


def _bar(line: str) -> tuple[str, str]:
    numbers = list(NUMBER.finditer(line))
    if not numbers:
        raise NotFoundError(f"the printed line {line!r} has no number for a bar")
    start = numbers[-1].start()
    return line[:start].strip().rstrip(":").strip(), line[start:].strip()


def _definitions(source: str, name: str) -> list[list[str]]:
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a line with a magic command
        return []
    found = []
    for node in body:
        if getattr(node, "name", None) == name:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            lines = dict(enumerate(source.splitlines(), start=1))
            if ast.get_docstring(node) is not None:
                text = node.body[0]
                for number in range(text.lineno, text.end_lineno + 1):
                    del lines[number]
            kept = range(first, node.end_lineno + 1)
            found.append([lines[number] for number in kept if number in lines])
    return found
