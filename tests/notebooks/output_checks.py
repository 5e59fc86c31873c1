"""Rules for the stored outputs of a chapter: complete, small, up to date and
accessible.
"""

import base64
import importlib
import io
import re

import nbformat
from PIL import Image

from genai_tutorial.notebook.execute import LARGEST_FILE, normalize
from genai_tutorial.notebook.figures import FEW_COLOURS, LONGEST_ALT
from genai_tutorial.notebook.frames import WIDGET_VIEW
from genai_tutorial.notebook.source import source_text
from tests.notebooks.chapter_file import ChapterFile, text_of

TAGS = {"exercise-setup", "hide-input", "hide-output", "nbval-check-output"}
FILE_NAME = re.compile(
    r"^\S+\.(png|jpe?g|svg)$|^(image|figure|plot|picture)s?\W*\d*$", re.IGNORECASE
)


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
    size = len(chapter.text.encode())
    return (
        []
        if size <= LARGEST_FILE
        else [f"{size / 1e6:.2f} MB; a chapter may have {LARGEST_FILE / 1e6} MB"]
    )


def pictures_have_text(chapter: ChapterFile) -> list[str]:
    """Each displayed picture has its own alternative text."""
    problems, seen = [], {}
    for number, output in chapter.outputs:
        for kind in output.get("data", {}):
            if not kind.startswith("image/"):
                continue
            alt = output["metadata"].get(kind, {}).get("alt", "")
            if len(alt) < 20 or FILE_NAME.match(alt):
                problems.append(
                    f"cell {number}: no real alternative text for a picture, got "
                    f"{alt!r}"
                )
            elif len(alt) > LONGEST_ALT and "frames" not in output["metadata"].get(
                "genai_tutorial", {}
            ):
                problems.append(
                    f"cell {number}: alternative text of {len(alt)} characters; "
                    f"{LONGEST_ALT} are allowed"
                )
            elif alt in seen:
                problems.append(
                    f"cell {number}: the same alternative text as in cell {seen[alt]}"
                )
            seen[alt] = number
        html = text_of(output.get("data", {}).get("text/html", ""))
        if any(
            not re.search(r'\balt="[^"]{20,}', image)
            for image in re.findall(r"<img\b[^>]*>", html)
        ):
            problems.append(
                f"cell {number}: a picture inside HTML needs alternative text"
            )
    return problems


def pictures_are_sane(chapter: ChapterFile) -> list[str]:
    """Pictures use few colours, fit the width of the book, and are neither blank nor
    tiny.
    """
    problems = []
    for number, output in chapter.outputs:
        data = output.get("data", {})
        problems += [
            f"cell {number}: {kind}; use show, which makes a PNG"
            for kind in ("image/jpeg", "image/svg+xml")
            if kind in data
        ]
        if "image/png" not in data:
            continue
        picture = Image.open(io.BytesIO(base64.b64decode(text_of(data["image/png"]))))
        if not (60 <= picture.width <= 1000 and 40 <= picture.height <= 1200):
            problems.append(
                f"cell {number}: a picture of {picture.width} by {picture.height} "
                "pixels"
            )
        if (
            picture.mode not in ("P", "1", "L")
            or not 1 < len(picture.getcolors(256)) <= FEW_COLOURS
        ):
            problems.append(
                f"cell {number}: a picture must have from 2 to {FEW_COLOURS} colours; "
                "use show or Frames"
            )
    return problems


def sounds_have_text(chapter: ChapterFile) -> list[str]:
    """Each clip has a name of its own and a transcript, and loads only when played."""
    problems, seen = [], {}
    for number, output in chapter.outputs:
        html = text_of(output.get("data", {}).get("text/html", ""))
        figures = re.findall(r"<figure\b[^>]*>(?:(?!</figure>).)*</figure>", html, re.S)
        sounds = [figure for figure in figures if "<audio" in figure]
        if len(sounds) != html.count("<audio"):
            problems.append(f"cell {number}: use Sound, which has a transcript")
        for sound in sounds:
            name = re.search(
                r'<audio controls preload="none" aria-label="([^"]+)"', sound
            )
            words = re.search(r"<strong>[^<]+</strong><br>[^<]{3,}<", sound)
            if not (name and words):
                problems.append(
                    f"cell {number}: a sound without a name or a transcript, or one "
                    "that is loaded before it is played"
                )
            elif name[1] in seen:
                problems.append(
                    f"cell {number}: the same name as a sound in cell {seen[name[1]]}: "
                    f"{name[1]!r}"
                )
            else:
                seen[name[1]] = number
    return problems


def executed_in_order(chapter: ChapterFile) -> list[str]:
    """All cells were executed in order; nbval skips cells without a count."""
    counts = [
        cell["execution_count"]
        for _, cell, source in chapter.of_type("code")
        if source.strip()
    ]
    problems = (
        []
        if counts == list(range(1, len(counts) + 1))
        else [f"run the notebook from the top; the counts are {counts}"]
    )
    for number, cell, _ in chapter.of_type("code"):
        for output in cell["outputs"]:
            if (
                output["output_type"] == "execute_result"
                and output["execution_count"] != cell["execution_count"]
            ):
                problems.append(f"cell {number}: an output from another run")
    return problems


def written_by_execute(chapter: ChapterFile) -> list[str]:
    """The file was written by `genai-tutorial execute`: no editor metadata, no random
    cell ids.
    """
    notebook = nbformat.reads(chapter.text, as_version=4)
    normalize(notebook)
    same = nbformat.writes(notebook).rstrip("\n") + "\n" == chapter.text
    return (
        []
        if same
        else [
            "the file was written by an editor last: run `genai-tutorial execute` on it"
        ]
    )


def outputs_are_machine_independent(chapter: ChapterFile) -> list[str]:
    """Outputs contain no warning, path, memory address or progress bar."""
    # A drive letter alone is not a path: in the repr of a play, "HENRY V: " ends a
    # line.
    pattern = re.compile(
        r"(?<![\w.])(?:/(?:home|root|tmp|Users|usr|opt|work)/\S*|[A-Z]:\\(?!n)\S+)|\b0x[0-9a-f]{8,}\b|\d+it/s"
    )
    problems = []
    for number, output in chapter.outputs:
        if output.get("name") == "stderr":
            problems.append(
                f"cell {number}: a warning or a log: {text_of(output['text'])[:80]!r}"
            )
        texts = [text_of(output.get("text", ""))]
        texts += [
            text_of(content)
            for kind, content in output.get("data", {}).items()
            if kind.startswith("text/")
        ]
        for text in texts:
            # Pictures embedded in HTML are long base64 strings.
            if found := pattern.search(re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)):
                problems.append(f"cell {number}: {found[0]!r} depends on the machine")
    return problems


def nothing_from_other_hosts(chapter: ChapterFile) -> list[str]:
    """HTML that a cell displays loads nothing."""
    loading = r"""<(?:script|img|iframe|audio|video|source|link)\b[^>]*(?:src|href)=["'](?:https?:)?//"""  # noqa: E501
    pattern = re.compile(loading + r"""|@import|url\(["']?https?:""")
    htmls = [
        (number, text_of(output.get("data", {}).get("text/html", "")))
        for number, output in chapter.outputs
    ]
    return [
        f"cell {number}: {found[0]!r}"
        for number, html in htmls
        if (found := pattern.search(html))
    ]


def sources_are_fresh(chapter: ChapterFile) -> list[str]:
    """The code that `show_source` displayed is the package's current code."""
    problems, shown = [], 0
    for number, output in chapter.outputs:
        fact = output.get("metadata", {}).get("genai_tutorial", {}).get("source")
        if fact is None:
            continue
        shown += 1
        thing = importlib.import_module(fact["module"])
        for name in fact["name"].split("."):
            thing = getattr(thing, name, None)
        now = None if thing is None else source_text(thing, docstring=fact["docstring"])
        if now != text_of(output["data"]["text/plain"]):
            problems.append(
                f"cell {number}: {fact['module']}.{fact['name']} has changed since; "
                "execute the notebook"
            )
    return (
        problems
        if shown
        else ["show at least one part of the package with show_source"]
    )


def claims_are_kept(chapter: ChapterFile) -> list[str]:
    """There are at least three claims with distinct statements, because links are made
    from the statement.
    """
    facts = [
        output.get("metadata", {}).get("genai_tutorial", {})
        for _, output in chapter.outputs
    ]
    statements = [fact["claim"]["statement"] for fact in facts if "claim" in fact]
    twice = sorted(
        {statement for statement in statements if statements.count(statement) > 1}
    )
    problems = [f"the claim {statement!r} occurs twice" for statement in twice]
    return problems + (
        []
        if len(statements) >= 3
        else [f"a chapter makes at least 3 claims, got {len(statements)}"]
    )


def has_an_interactive_figure(chapter: ChapterFile) -> list[str]:
    found = [
        1
        for _, output in chapter.outputs
        if "frames" in output.get("metadata", {}).get("genai_tutorial", {})
    ]
    return [] if found else ["a chapter has at least one interactive figure: Frames"]


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
    checked = [1 for _, tag in tags if tag == "nbval-check-output"]
    return problems + (
        [] if checked else ["no cell carries the tag nbval-check-output"]
    )


CHECKS = (
    no_stored_error,
    no_widget_view,
    small_enough,
    pictures_have_text,
    pictures_are_sane,
    sounds_have_text,
    executed_in_order,
    written_by_execute,
    outputs_are_machine_independent,
    nothing_from_other_hosts,
    sources_are_fresh,
    claims_are_kept,
    has_an_interactive_figure,
    tags_are_known,
)
