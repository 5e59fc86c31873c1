"""Slides: a Markdown file with the lecture, which refers to a chapter, becomes a single
HTML page that needs no network.

`book/slides/04.md` is an example. Numbers, figures and claims are not copied into it:
a line such as `::figure 4.3` shows what the chapter shows today.
"""

import html
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from genai_tutorial.runtime import require

from .exercises import TeachingError, check_absent, find_chapter, write_text
from .references import (
    NUMBER,
    Figure,
    NotFoundError,
    ReaderView,
    as_number,
    read_view,
)

_REFERENCES = {
    "bars": re.compile(r'"(?P<words>.+)" (?P<count>\d+)'),
    "output": re.compile(r'"(?P<words>.+)" (?P<count>\d+)'),
    "equation": re.compile(r"(?P<number>\d+[a-z]?\.\d+)"),
    "figure": re.compile(r'(?P<number>\d+[a-z]?\.\d+)(?: "(?P<frame>.+)")?'),
    "code": re.compile(r"(?P<name>\w+)"),
    "claim": re.compile(r'"(?P<beginning>.+)"'),
}


@dataclass(frozen=True)
class Item:
    """One part of a slide: its kind, its words or what they refer to, and its line."""

    kind: str  # a key of `_REFERENCES`, or formula, question, text
    text: str
    line: int


@dataclass
class Slide:
    """One slide, as it is written."""

    title: str
    first: bool
    line: int
    items: list[Item] = field(default_factory=list)
    notes: str = ""

    @property
    def written(self) -> str:
        """The words that are shown and don't come from the chapter."""
        own = (item.text for item in self.items if item.kind in ("question", "text"))
        return " ".join([self.title, *own])


def read_slides(path: Path) -> list[Slide]:
    """Read a deck as it is written, without looking at the chapter."""
    slides: list[Slide] = []
    notes = False
    for number, line in enumerate(path.read_text("utf8").splitlines(), start=1):
        if heading := re.fullmatch(r"(##?) (.+)", line):
            slides.append(Slide(heading[2].strip(), heading[1] == "#", number))
            notes = False
        elif not slides:
            if line.strip():
                raise _fault(path, number, "a deck begins with a title, '# ...'")
        elif line.strip() == "Notes:":
            notes = True
        elif notes:
            slides[-1].notes += f"{line}\n"
        elif line.strip():
            items, item = slides[-1].items, _item(path, number, line.rstrip())
            if items and all(one.text.startswith("- ") for one in (items[-1], item)):
                item = Item("text", f"{items.pop().text}\n{item.text}", number)
            items.append(item)
    if not slides:
        raise TeachingError(f"{path} has no slide.")
    return slides


def _item(path: Path, number: int, line: str) -> Item:
    if reference := re.fullmatch(r"::(\w+) (.+?)\s*", line):
        form = _REFERENCES.get(reference[1])
        if form is None or not form.fullmatch(reference[2]):
            kinds = ", ".join(f"::{kind}" for kind in _REFERENCES)
            reason = f"{line.strip()!r} is none of {kinds} with what belongs to it"
            raise _fault(path, number, reason)
        return Item(reference[1], reference[2], number)
    if line.startswith("? "):
        if line.count(" | ") != 1:
            raise _fault(path, number, "a question is '? question | answer'")
        return Item("question", line[2:], number)
    if line.startswith("$$"):
        if not re.fullmatch(r"\$\$.+\$\$\s*", line):
            raise _fault(path, number, "a formula is on one line, '$$ ... $$'")
        return Item("formula", line.strip()[2:-2].strip(), number)
    if line.startswith(("::", "?", "#")):
        raise _fault(path, number, f"{line.strip()!r} is in none of a deck's forms")
    return Item("text", line, number)


def _fault(path: Path, number: int, reason: object) -> TeachingError:
    return TeachingError(f"{path}, line {number}: {reason}.")


def deck(source: Path, notebook: Path) -> str:
    """Return the slides of a chapter as an HTML page."""
    pygments = require("pygments.formatters", "book")
    slides, page = read_slides(source), _Drawing(read_view(notebook))
    sections = []
    for index, slide in enumerate(slides, start=1):
        parts, line = [], slide.line
        try:
            title, notes = page.inline(slide.title), page.markdown(slide.notes)
            for item in slide.items:
                line = item.line
                parts.append(page.draw(item))
        except (NotFoundError, ValueError) as error:
            raise _fault(source, line, error) from error
        shown = "\n".join(parts)
        kind = "title" if slide.first else "picture" if 'class="figure' in shown else ""
        heading = "h1" if slide.first else "h2"
        sections.append(
            f'<section class="{kind}" aria-label="Slide {index} of {len(slides)}">'
            f"<{heading}>{title}</{heading}>\n"
            f'<div class="body">{shown}</div>\n'
            f"<aside>{notes}</aside>"
            f"<footer>{source.stem.lstrip('0') or 0} · {index} / {len(slides)}</footer>"
            "</section>"
        )
    styles = [
        pygments.HtmlFormatter(style=f"a11y-high-contrast-{theme}").get_style_defs(root)
        for theme, root in (("light", ".code"), ("dark", ".dark .code"))
    ]
    return (
        (files("genai_tutorial.teaching") / "deck.html")
        .read_text("utf8")
        .replace("/*CODE*/", "\n".join(styles))
        .replace("<!--TITLE-->", html.escape(f"{slides[0].title}: slides"))
        .replace("<!--SLIDES-->", "\n".join(sections))
    )


class _Drawing:
    """Turns the parts of slides into HTML."""

    def __init__(self, view: ReaderView) -> None:
        plugin = require("mdit_py_plugins.dollarmath", "book").dollarmath_plugin
        parser = require("markdown_it", "book").MarkdownIt("commonmark")
        self._markdown = parser.use(
            plugin, renderer=lambda latex, options: _formula(latex, inline=True)
        )
        self._view = view

    def markdown(self, text: str) -> str:
        return self._markdown.render(text)

    def inline(self, text: str) -> str:
        return self._markdown.renderInline(text)

    def draw(self, item: Item) -> str:
        if item.kind == "text":
            return self.markdown(item.text)
        if item.kind == "formula":
            return _formula(item.text)
        if item.kind == "question":
            question, answer = map(self.inline, item.text.split(" | "))
            return f'<p class="ask">{question} <b class="later">{answer}</b></p>'
        found = _REFERENCES[item.kind].fullmatch(item.text).groupdict()
        if "count" in found:
            found["count"] = int(found["count"])
        shown = getattr(self._view, item.kind)(**found)
        drawings: dict[str, Callable[..., str]] = {
            "bars": _bars, "output": _output, "equation": _formula, "code": _code,
            "figure": _figure, "claim": _claim,
        }  # fmt: skip
        return drawings[item.kind](shown)


def _formula(latex: str, *, inline: bool = False) -> str:
    """Draw a formula as SVG, in the colour and size of the text around it."""
    size = 24
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # how it reads its font
            ziamath = require("ziamath", "book")
            made = ziamath.Latex(latex, size, color="currentColor", inline=inline)
            drawing = made.svg().replace('"black"', '"currentColor"')
    except ImportError:
        raise
    except Exception as error:  # ziamath raises many kinds
        reason = f"{type(error).__name__} {error}".strip()
        raise ValueError(f"{latex!r} cannot be typeset ({reason})") from error
    if unknown := re.search(r">(\\\w+)", made.mathmlstr()):
        raise ValueError(f"{latex!r} has a command that is unknown here, {unknown[1]}")
    _, top, width, height = map(
        float, re.search(r'viewBox="([^"]+)"', drawing)[1].split()
    )
    style = f"width:{width / size:.3f}em;height:{height / size:.3f}em"
    if inline:
        style += f";vertical-align:{-(top + height) / size:.3f}em"
    drawing = re.sub(
        r' width="[^"]+" height="[^"]+"', f' style="{style}"', drawing, count=1
    )
    kind, tag = ("inline", "span") if inline else ("formula", "div")
    label = html.escape(latex, quote=True)
    return f'<{tag} class="{kind}" role="img" aria-label="{label}">{drawing}</{tag}>'


def _bars(rows: list[tuple[str, str]]) -> str:
    values = [abs(as_number(NUMBER.match(text)[0])) for _, text in rows]
    top = max(values) or 1.0
    lines = (
        f"<span>{html.escape(label)}</span>"
        f'<i><s style="width:{70 * value / top:.1f}%"></s>{html.escape(text)}</i>'
        for (label, text), value in zip(rows, values, strict=True)
    )
    return f'<div class="bars">{"".join(lines)}</div>'


def _output(lines: list[str]) -> str:
    return f"<pre{_size(lines)}>{html.escape(chr(10).join(lines))}</pre>"


def _size(lines: list[str]) -> str:
    """Tell the style sheet how long the lines are, so that few of them break."""
    return f' style="--columns:{max(map(len, lines)) or 1}"'


def _code(lines: list[str]) -> str:
    highlight = require("pygments", "book").highlight
    lexer = require("pygments.lexers", "book").PythonLexer()
    formatter = require("pygments.formatters", "book").HtmlFormatter(nowrap=True)
    shown = highlight("\n".join(lines), lexer, formatter)
    return f'<pre class="code"{_size(lines)}>{shown}</pre>'


def _figure(figure: Figure) -> str:
    if figure.svg:
        return f'<div class="figure drawing">{figure.svg}</div>'
    alt = html.escape(html.unescape(figure.alt), quote=True)
    source = f"data:image/png;base64,{figure.png.strip()}"
    image = f'<img class="figure" alt="{alt}" src="{source}">'
    if figure.frame:
        return f'<div class="frame">{image}<p>{html.escape(figure.frame)}</p></div>'
    return image


def _claim(claim: dict) -> str:
    statement = html.escape(claim["statement"])
    statement = re.sub(r"`([^`]+)`", r"<code>\1</code>", statement)
    numbers = f"Measured: {claim['measured']}."
    for part, title in (("baseline", "Baseline"), ("versus", "Compared with")):
        if part in claim:
            numbers += f" {title}: {claim[part]}."
    return f'<p class="claim"><strong>{statement}.</strong> {html.escape(numbers)}</p>'


def write_slides(chapter: str | int, target: str | Path, *, overwrite: bool) -> Path:
    """Write the slides of one chapter, and return the file's path.

    Raises:
        TeachingError: If the chapter has no slides, a line of them is wrong, or the
            file exists already.
    """
    notebook = find_chapter(chapter)
    source = lecture_file(notebook, "slides", ".md")
    target = Path(target)
    check_absent(target, overwrite)
    return write_text(target, deck(source, notebook))


def lecture_file(notebook: Path, kind: str, ending: str) -> Path:
    """Return the file of a chapter in `book/slides`, `questions` or `versions`."""
    folder = notebook.resolve().parents[1] / "book" / kind
    path = folder / f"{notebook.stem.partition('_')[0]}{ending}"
    if others := sorted(file.stem for file in folder.glob(f"*{ending}")):
        if path.stem not in others:
            raise TeachingError(
                f"{notebook.name} has no {kind}. Chapters that have: "
                f"{', '.join(others)}."
            )
    else:
        raise TeachingError(
            f"There is no {path}: the {kind} do not come with the installed package, "
            "so run this from a copy of the book's repository."
        )
    return path


def write_all_slides(root: Path, folder: Path) -> list[Path]:
    """Write the slides of all chapters that have some, and a page that lists them.

    Args:
        root: The repository.

    Raises:
        TeachingError: If a line of the slides is wrong.
    """
    written, lines = [], []
    for source in sorted((root / "book" / "slides").glob("[0-9][0-9].md")):
        notebook = next((root / "notebooks").glob(f"{source.stem}_*.ipynb"))
        title = html.escape(read_slides(source)[0].title)
        target = write_text(folder / f"{source.stem}.html", deck(source, notebook))
        lines.append(f'<li><a href="{target.name}">{title}</a></li>')
        written.append(target)
    page = (files("genai_tutorial.teaching") / "decks.html").read_text("utf8")
    write_text(folder / "index.html", page.replace("<!--DECKS-->", "\n".join(lines)))
    return written
