"""Rules for the stored outputs of a chapter: complete, small, up to date and
accessible.
"""

import base64
import importlib
import io
import re
from collections.abc import Iterable
from importlib.resources import files

import nbformat
from PIL import Image

from genai_tutorial.notebook.execute import LARGEST_FILE, normalize
from genai_tutorial.notebook.figures import FEW_COLOURS, LONGEST_ALT
from genai_tutorial.notebook.frames import WIDGET_VIEW
from genai_tutorial.notebook.source import source_text
from tests.notebooks.chapter_file import ChapterFile, text_of

TAGS = {"claim", "exercise-setup", "hide-input", "hide-output", "nbval-check-output"}
FILE_NAME = re.compile(
    r"^\S+\.(png|jpe?g|svg)$|^(image|figure|plot|picture)s?\W*\d*$", re.IGNORECASE
)
FIGURE = re.compile(r"<figure\b[^>]*>(?:(?!</figure>).)*</figure>", re.DOTALL)
# A drive letter alone is not a path: in the repr of a play, "HENRY V: " ends a line.
OF_A_MACHINE = re.compile(
    r"(?<![\w.])(?:/(?:home|root|tmp|Users|usr|opt|work)/\S*|[A-Z]:\\(?!n)\S+)"
    r"|\b0x[0-9a-f]{8,}\b|\d+it/s"
)
FROM_ANOTHER_HOST = re.compile(
    r"<(?:script|img|iframe|audio|video|source|link)\b[^>]*(?:src|href)="
    r"""["'](?:https?:)?//|@import|url\(["']?https?:"""
)


def twice(names: Iterable[str]) -> list[str]:
    """Return the names that occur more than once."""
    names = list(names)
    return sorted({name for name in names if names.count(name) > 1})


def no_stored_error(chapter: ChapterFile) -> list[str]:
    return [
        f"cell {n}: it raised {out['ename']}"
        for n, out in chapter.outputs
        if out["output_type"] == "error"
    ]


def no_widget_view(chapter: ChapterFile) -> list[str]:
    """A live widget shows nothing on a page and an error in JupyterLab."""
    found = [
        f"cell {n}: a widget view"
        for n, output in chapter.outputs
        if WIDGET_VIEW in output.get("data", {})
    ]
    if "widgets" in chapter.notebook["metadata"]:
        found.append("the metadata keep the state of widgets")
    return found


def small_enough(chapter: ChapterFile) -> list[str]:
    if (size := len(chapter.text.encode())) <= LARGEST_FILE:
        return []
    return [f"{size / 1e6:.2f} MB; a chapter may have {LARGEST_FILE / 1e6} MB"]


def pictures_have_text(chapter: ChapterFile) -> list[str]:
    """Each displayed picture has its own alternative text."""
    problems, seen = [], {}
    for number, output in chapter.outputs:
        frames = "frames" in output.get("metadata", {}).get("genai_tutorial", {})
        # a schematic is SVG and PNG, with one text
        for kind in [kind for kind in output.get("data", {}) if "image/" in kind][:1]:
            alt = output["metadata"].get(kind, {}).get("alt", "")
            fault = ""
            if len(alt) < 20 or FILE_NAME.match(alt):
                fault = f"no real alternative text for a picture, got {alt!r}"
            elif len(alt) > LONGEST_ALT and not frames:
                fault = f"alternative text of {len(alt)} characters; "
                fault += f"{LONGEST_ALT} are allowed"
            elif alt in seen:
                fault = f"the same alternative text as in cell {seen[alt]}"
            problems += [f"cell {number}: {fault}"] if fault else []
            seen[alt] = number
    return problems + [
        f"cell {number}: a picture inside HTML needs alternative text"
        for number, html in chapter.htmls
        for image in re.findall(r"<img\b[^>]*>", html)
        if not re.search(r'\balt="[^"]{20,}', image)
    ]


def pictures_are_sane(chapter: ChapterFile) -> list[str]:
    """Pictures use few colours, fit the width of the book, and are neither blank nor
    tiny.
    """
    problems = []
    for number, output in chapter.outputs:
        data = output.get("data", {})
        drawn = "schematic" in output.get("metadata", {}).get("genai_tutorial", {})
        problems += [
            f"cell {number}: {kind}; use show, which makes a PNG"
            for kind in ("image/jpeg", "image/svg+xml")
            if kind in data and not drawn
        ]
        if "image/png" not in data:
            continue
        picture = Image.open(io.BytesIO(base64.b64decode(text_of(data["image/png"]))))
        width = output["metadata"].get("image/png", {}).get("width", picture.width)
        height = picture.height * width // picture.width
        if not (60 <= width <= 1000 and 40 <= height <= 1200):
            problems.append(f"cell {number}: a picture of {width} by {height} pixels")
        few = picture.mode in ("P", "1", "L")
        if not few or not 1 < len(picture.getcolors(256)) <= FEW_COLOURS:
            problems.append(
                f"cell {number}: a picture must have from 2 to {FEW_COLOURS} colours; "
                "use show or Frames"
            )
    return problems


def sounds_have_text(chapter: ChapterFile) -> list[str]:
    """Each clip has a name of its own and a transcript, and loads only when played."""
    problems, names = [], []
    for number, html in chapter.htmls:
        sounds = [figure for figure in FIGURE.findall(html) if "<audio" in figure]
        if len(sounds) != html.count("<audio"):
            problems.append(f"cell {number}: use Sound, which has a transcript")
        for sound in sounds:
            name = re.search(
                r'<audio controls preload="none" aria-label="([^"]+)"', sound
            )
            names += [name[1]] if name else []
            if not (name and re.search(r"<strong>[^<]+</strong><br>[^<]{3,}<", sound)):
                problems.append(
                    f"cell {number}: a sound without a name or a transcript, or one "
                    "that is loaded before it is played"
                )
    return problems + [f"two sounds have the name {name!r}" for name in twice(names)]


def executed_in_order(chapter: ChapterFile) -> list[str]:
    """All cells were executed in order; nbval skips cells without a count."""
    counts = [
        cell["execution_count"]
        for _, cell, source in chapter.of_type("code")
        if source.strip()
    ]
    problems = []
    if counts != list(range(1, len(counts) + 1)):
        problems.append(f"run the notebook from the top; the counts are {counts}")
    return problems + [
        f"cell {number}: an output from another run"
        for number, cell, _ in chapter.of_type("code")
        for output in cell["outputs"]
        if output.get("execution_count", cell["execution_count"])
        != cell["execution_count"]
    ]


def written_by_execute(chapter: ChapterFile) -> list[str]:
    """The file was written by `genai-tutorial execute`: no editor metadata, no random
    cell ids.
    """
    notebook = nbformat.reads(chapter.text, as_version=4)
    normalize(notebook)
    if nbformat.writes(notebook).rstrip("\n") + "\n" == chapter.text:
        return []
    return ["an editor wrote the file last: run `genai-tutorial execute` on it"]


def outputs_are_machine_independent(chapter: ChapterFile) -> list[str]:
    """Outputs contain no warning, path, memory address or progress bar."""
    problems = []
    for number, output in chapter.outputs:
        if output.get("name") == "stderr":
            text = text_of(output["text"])[:80]
            problems.append(f"cell {number}: a warning or a log: {text!r}")
        texts = [output.get("text", "")] + [
            content
            for kind, content in output.get("data", {}).items()
            if kind.startswith("text/")
        ]
        for text in map(text_of, texts):
            # Pictures embedded in HTML are long base64 strings.
            short = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)
            if found := OF_A_MACHINE.search(short):
                problems.append(f"cell {number}: {found[0]!r} depends on the machine")
    return problems


def nothing_from_other_hosts(chapter: ChapterFile) -> list[str]:
    """HTML that a cell displays loads nothing."""
    return [
        f"cell {number}: {found[0]!r}"
        for number, html in chapter.htmls
        if (found := FROM_ANOTHER_HOST.search(html))
    ]


def sources_are_fresh(chapter: ChapterFile) -> list[str]:
    """The code that `show_source` displayed is the package's current code."""
    problems = []
    shown = chapter.facts_in_outputs("source")
    for number, output, fact in shown:
        thing = importlib.import_module(fact["module"])
        for name in fact["name"].split("."):
            thing = getattr(thing, name, None)
        now = thing and source_text(thing, docstring=fact["docstring"])
        if now != text_of(output["data"]["text/plain"]):
            problems.append(
                f"cell {number}: {fact['module']}.{fact['name']} has changed since; "
                "execute the notebook"
            )
    if not shown:
        problems.append("show at least one part of the package with show_source")
    return problems


def schematics_are_fresh(chapter: ChapterFile) -> list[str]:
    """Each schematic is the package's current drawing."""
    folder = files("genai_tutorial.notebook") / "schematics"
    return [
        f"cell {number}: the drawing {name!r} has changed since; execute the notebook"
        for number, output, name in chapter.facts_in_outputs("schematic")
        if not (path := folder / f"{name}.svg").is_file()
        or path.read_text("utf8") != text_of(output["data"]["image/svg+xml"])
    ]


def claims_are_kept(chapter: ChapterFile) -> list[str]:
    """There are at least three claims with distinct statements, because links are made
    from the statement.
    """
    claims = [claim["statement"] for _, _, claim in chapter.facts_in_outputs("claim")]
    problems = [f"the claim {claim!r} occurs twice" for claim in twice(claims)]
    if len(claims) < 3:
        problems.append(f"a chapter makes at least 3 claims, got {len(claims)}")
    return problems


def has_an_interactive_figure(chapter: ChapterFile) -> list[str]:
    if chapter.facts_in_outputs("frames"):
        return []
    return ["a chapter has at least one interactive figure: Frames"]


def tags_are_known(chapter: ChapterFile) -> list[str]:
    """All tags are known, because a mistyped tag has no effect; and at least one output
    is checked by nbval.
    """
    tags = [
        (number, tag)
        for number, cell, _ in chapter.of_type("code")
        for tag in cell["metadata"].get("tags", [])
    ]
    problems = [
        f"cell {number}: the tag {tag!r} is not among {sorted(TAGS)}"
        for number, tag in tags
        if tag not in TAGS
    ]
    if "nbval-check-output" not in {tag for _, tag in tags}:
        problems.append("no cell carries the tag nbval-check-output")
    return problems


RULES = (
    no_stored_error, no_widget_view, small_enough, pictures_have_text,
    pictures_are_sane, sounds_have_text, executed_in_order, written_by_execute,
    outputs_are_machine_independent, nothing_from_other_hosts, sources_are_fresh,
    schematics_are_fresh, claims_are_kept, has_an_interactive_figure, tags_are_known,
)  # fmt: skip
