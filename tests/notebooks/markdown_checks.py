"""Rules for the Markdown of a chapter, so that it renders well in the book, JupyterLab,
GitHub and Colab.
"""

import json
import re
from html.parser import HTMLParser
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from markdown_it.token import Token

from genai_tutorial.notebook.chapters import recorded_times, stated_times
from genai_tutorial.notebook.source import repository_address
from tests.notebooks.chapter_file import ChapterFile, markdown_tokens

HTML_TAGS = {"details", "summary", "kbd", "sup", "sub", "br"}
QUOTES = {"Note.", "Tip.", "Warning.", "Key idea."}
GLOSSARY = "../book/glossary.md"
CLOSING = [
    "When it breaks",
    "At scale",
    "In production",
    "Exercises",
    "Summary",
    "Vocabulary",
    "Further reading",
]


def links_resolve(chapter: ChapterFile) -> list[str]:
    """A link leads to a file that git tracks, or to another site."""
    problems = []
    for number, token in chapter.tokens:
        target = token.attrGet("href") if token.type == "link_open" else None
        target = token.attrGet("src") if token.type == "image" else target
        if target is None:
            continue
        parts = urlsplit(str(target))
        if parts.scheme in ("http", "https"):
            if token.type == "image":
                problems.append(
                    f"cell {number}: the picture {target} is on another host"
                )
        elif parts.scheme or parts.netloc or parts.fragment or not parts.path:
            problems.append(
                f"cell {number}: {target} must be a file of this repository, without "
                "#heading, or a site"
            )
        elif PurePosixPath(parts.path).is_absolute():
            problems.append(
                f"cell {number}: {target} is a path of one machine; write it relative "
                "to the notebook"
            )
        elif (
            chapter.path.parent / unquote(parts.path)
        ).resolve() not in chapter.tracked:
            problems.append(f"cell {number}: {target} is not tracked by git")
    return problems


def markdown_is_plain(chapter: ChapterFile) -> list[str]:
    """No directive, role, footnote, alert or task list: outside the book they show as
    raw text.
    """
    patterns = {
        r"^\s*(`{3,}|:{3,}|~{3,})\s*\{": "a directive",
        r"\{[a-zA-Z][\w:-]*\}`": "a role",
        r"\[\^[^\]]+\]": "a footnote",
        r"^\s*>\s*\[!": "an alert of GitHub",
        r"^\s*[-*+]\s+\[[ xX]\]\s": "a task list",
        r"^\([\w-]+\)=\s*$": "a label",
        r"^\s*%\s": "a MyST comment",
    }
    problems = []
    for number, _, source in chapter.of_type("markdown"):
        for pattern, what in patterns.items():
            for found in re.findall(
                f"(?:{pattern}).*", _without_code(source), re.MULTILINE
            ):
                problems.append(
                    f"cell {number}: {what} does not show outside the book: {found}"
                )
        problems += [
            f"cell {number}: the tag <{tag}> is not among {sorted(HTML_TAGS)}"
            for tag in _odd_tags(source)
        ]
        for quote in re.findall(r"^> \*\*([^*]+)\*\*", source, re.MULTILINE):
            if quote not in QUOTES:
                problems.append(
                    f"cell {number}: a quote may begin with one of {sorted(QUOTES)} in "
                    f"bold, got {quote}"
                )
    return problems


def _without_code(source: str) -> str:
    # The opening line of a fenced block stays, because it names the directive.
    source = re.sub(
        r"^(\s*```[^\n]*\n).*?^\s*```\s*$",
        r"\1",
        source,
        flags=re.MULTILINE | re.DOTALL,
    )
    return re.sub(r"(?<![}`])`[^`\n]+`", "", source)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.seen.append(tag)


def _odd_tags(source: str) -> list[str]:
    parser = _Tags()
    for token in markdown_tokens(source):
        if token.type in ("html_block", "html_inline"):
            parser.feed(token.content)
    return sorted(set(parser.seen) - HTML_TAGS)


def pictures_in_markdown_have_text(chapter: ChapterFile) -> list[str]:
    """A picture in Markdown has alternative text, and is a file: attachments do not
    show in the book.
    """
    problems = []
    for number, token in chapter.tokens:
        if token.type == "image" and not token.content.strip():
            problems.append(
                f"cell {number}: the picture {token.attrGet('src')} has no alternative "
                "text"
            )
    return problems + [
        f"cell {n}: it has an attachment"
        for n, cell, _ in chapter.of_type("markdown")
        if cell.get("attachments")
    ]


def citations_are_links(chapter: ChapterFile) -> list[str]:
    """Each citation is a link."""
    citation = re.compile(
        r"et al\b|\barXiv:\s*\d|\(\D{3,40},? (?:19|20)\d\d\w?\)|(?<!\w)\[\d{1,3}(?:, "
        r"?\d{1,3})*\]"
    )
    problems, inside = [], 0
    for number, token in chapter.tokens:
        inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if (
            token.type == "text"
            and not inside
            and (found := citation.search(token.content))
        ):
            problems.append(f"cell {number}: the citation {found[0]!r} is not a link")
    return problems


def citations_are_in_the_bibliography(chapter: ChapterFile) -> list[str]:
    """A paper that a chapter links to by arXiv or DOI is in `book/references.bib`."""
    bibliography = chapter.root / "book" / "references.bib"
    known = bibliography.read_text("utf8").lower() if bibliography.is_file() else ""
    pattern = re.compile(
        r"^https?://(?:www\.)?(?:arxiv\.org/(?:abs|pdf)/|(?:dx\.)?doi\.org/)(.+?)(?:v\d+)?(?:\.pdf)?/?$"
    )
    hrefs = [
        (n, unquote(str(token.attrGet("href"))))
        for n, token in chapter.tokens
        if token.type == "link_open"
    ]
    found = [
        (number, match[1]) for number, href in hrefs if (match := pattern.match(href))
    ]
    return [
        f"cell {n}: {paper} is not in book/references.bib"
        for n, paper in found
        if paper.lower() not in known
    ]


def headings_in_order(chapter: ChapterFile) -> list[str]:
    """The first heading is the only title and has the chapter's number, no level is
    skipped, and the closing sections are in order.
    """
    problems = []
    titles = [(number, text) for number, level, text in chapter.headings if level == 1]
    if (
        len(titles) != 1
        or titles[0][0] != 1
        or not titles[0][1].startswith(f"{chapter.facts.get('chapter')}. ")
    ):
        problems.append(
            "the one title must come first and begin with the chapter's number, got "
            f"{titles}"
        )
    levels = [level for _, level, _ in chapter.headings]
    jumps = [k for k in range(1, len(levels)) if levels[k] > levels[k - 1] + 1]
    problems += [f"the heading {chapter.headings[k][2]!r} skips a level" for k in jumps]
    closing = [text for _, level, text in chapter.headings if level == 2]
    places = [
        next((k for k, text in enumerate(closing) if text.startswith(name)), None)
        for name in CLOSING
    ]
    problems += [
        f"the section '## {name}' is missing"
        for name, k in zip(CLOSING, places, strict=True)
        if k is None
    ]
    present = [place for place in places if place is not None]
    if present != sorted(present):
        problems.append(f"the sections must come in the order {', '.join(CLOSING)}")
    return problems


def opening_is_complete(chapter: ChapterFile) -> list[str]:
    """The badge opens this notebook, and the table of facts agrees with the metadata
    and the recorded running times.
    """
    opening = ""
    for cell in chapter.cells:
        if cell["cell_type"] == "code":
            break
        opening += "".join(cell["source"]) + "\n"
    repository = repository_address().removeprefix("https://github.com/")
    badge = f"(https://colab.research.google.com/github/{repository}/blob/main/notebooks/{chapter.path.name})"
    problems = (
        []
        if badge in opening
        else [f"before the set-up there must be a Colab badge with {badge}"]
    )
    minutes = chapter.facts.get("reading_minutes")
    if not re.search(rf"\b{minutes} min", opening):
        problems.append(
            "the table above the set-up must give the reading time of the metadata: "
            f"{minutes} minutes"
        )
    time = recorded_times(chapter.path.parent).get(chapter.path.stem)
    seconds = [time.seconds] if time else []
    if not seconds or stated_times(opening) != seconds:
        problems.append(
            "the table above the set-up must give the recorded running time once, as "
            f"in | 40 s |: recorded {seconds}, stated {stated_times(opening)}; run "
            "`genai-tutorial execute` on it"
        )
    rooms = [
        room for room in chapter.facts.get("rooms", []) if f"`{room}" not in opening
    ]
    return problems + [
        f"the table above the set-up must name the room `{room}`" for room in rooms
    ]


def vocabulary_links_to_the_glossary(chapter: ChapterFile) -> list[str]:
    """The vocabulary section links to the glossary."""
    section = "\n".join("".join(cell["source"]) for cell in chapter.cells).partition(
        "## Vocabulary"
    )[2]
    found = re.findall(r"\]\(\.\./book/glossary\.md\)", section.partition("\n## ")[0])
    return (
        []
        if len(found) >= 3
        else [
            (
                "'## Vocabulary' must link at least 3 words to the glossary, got "
                f"{len(found)}"
            )
        ]
    )


def terms_are_introduced(chapter: ChapterFile) -> list[str]:
    """Terms that `terms.json` assigns to a chapter are introduced in bold, linked to
    the glossary, and used again.
    """
    assigned = json.loads((chapter.root / "tests/notebooks/terms.json").read_text())
    bold, linked = texts_within(chapter, "strong"), texts_within(chapter, "link")
    text = " ".join(token.content for _, token in chapter.tokens if is_text(token))
    problems = []
    for term in assigned.get(chapter.path.stem, []):
        pattern = re.compile(rf"\b{re.escape(term)}(?:e?s)?\b", re.IGNORECASE)
        if not any(map(pattern.search, bold)):
            problems.append(f"introduce the term '{term}' in bold")
        if not any(map(pattern.search, linked)):
            problems.append(f"link the term '{term}' to ../book/glossary.md")
        if len(pattern.findall(text)) < 2:
            problems.append(f"use the term '{term}' after introducing it")
    return problems


def is_text(token: Token) -> bool:
    """Return whether a token contains words, as opposed to code or formulas."""
    return token.type == "text"


def texts_within(chapter: ChapterFile, kind: str) -> list[str]:
    """Return the words within each strong emphasis, or each link to the glossary."""
    texts, inside = [], False
    for _, token in chapter.tokens:
        if token.type == f"{kind}_open":
            inside = kind == "strong" or token.attrGet("href") == GLOSSARY
            texts.append("")
        elif token.type == f"{kind}_close":
            inside = False
        elif inside and (is_text(token) or token.type == "softbreak"):
            texts[-1] += token.content or " "
    return texts


CHECKS = (
    links_resolve,
    markdown_is_plain,
    pictures_in_markdown_have_text,
    citations_are_links,
    citations_are_in_the_bibliography,
    headings_in_order,
    opening_is_complete,
    vocabulary_links_to_the_glossary,
    terms_are_introduced,
)
