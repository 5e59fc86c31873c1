"""Rules for the Markdown of a chapter, so that it renders well in the book, JupyterLab,
GitHub and Colab.
"""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise, takewhile
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from genai_tutorial.notebook.chapters import recorded_times, stated_times
from genai_tutorial.runtime import repository_address, repository_branch
from tests.notebooks.chapter_file import ChapterFile, markdown_tokens, text_of

HTML_TAGS = {"details", "summary", "kbd", "sup", "sub", "br"}
QUOTES = {"Note.", "Tip.", "Warning.", "Key idea."}
VIEWERS = {
    r"^\s*(`{3,}|:{3,}|~{3,})\s*\{": "a directive", r"\{[a-zA-Z][\w:-]*\}`": "a role",
    r"\[\^[^\]]+\]": "a footnote", r"^\s*>\s*\[!": "an alert of GitHub",
    r"^\s*[-*+]\s+\[[ xX]\]\s": "a task list", r"^\([\w-]+\)=\s*$": "a label",
    r"^\s*%\s": "a MyST comment",
}  # fmt: skip
CITATION = re.compile(
    r"et al\b|\barXiv:\s*\d|\(\D{3,40},? (?:19|20)\d\d\w?\)"
    r"|(?<!\w)\[\d{1,3}(?:, ?\d{1,3})*\]"
)
PAPER = re.compile(
    r"^https?://(?:www\.)?(?:arxiv\.org/(?:abs|pdf)/|(?:dx\.)?doi\.org/)"
    r"(.+?)(?:v\d+)?(?:\.pdf)?/?$"
)
YEAR = re.compile(r"\byear = \{(\d{4})\}")
ADDRESS = re.compile(r"\b(?:eprint|doi|url) = \{(.+?)\}")
GLOSSARY = "../book/glossary.md"
CLOSING = [
    "When it breaks", "At scale", "In production", "Exercises", "Summary", "Vocabulary",
    "Further reading",
]  # fmt: skip


def links_resolve(chapter: ChapterFile) -> list[str]:
    """A link leads to a file that git tracks, or to another site."""
    problems = []
    for number, token in chapter.tokens:
        if token.type not in ("link_open", "image"):
            continue
        target = str(token.attrGet("href" if token.type == "link_open" else "src"))
        parts = urlsplit(target)
        if parts.scheme in ("http", "https"):
            fault = "a picture on another host" if token.type == "image" else ""
        elif parts.scheme or parts.netloc or parts.fragment or not parts.path:
            fault = "it must be a file of this repository, without #heading, or a site"
        elif PurePosixPath(parts.path).is_absolute():
            fault = "a path of one machine; write it relative to the notebook"
        else:
            file = (chapter.path.parent / unquote(parts.path)).resolve()
            fault = "" if file in chapter.tracked else "it is not tracked by git"
        if fault:
            problems.append(f"cell {number}: {target}: {fault}")
    return problems


def markdown_is_plain(chapter: ChapterFile) -> list[str]:
    """No directive, role, footnote, alert or task list: outside the book they show as
    raw text.
    """
    problems = []
    for number, _, source in chapter.of_type("markdown"):
        faults = [
            f"{what} does not show outside the book: {found[0]}"
            for pattern, what in VIEWERS.items()
            for found in re.finditer(f"(?:{pattern}).*", _without_code(source), re.M)
        ]
        faults += [
            f"the tag <{tag}> is not among {sorted(HTML_TAGS)}"
            for tag in _odd_tags(source)
        ]
        faults += [
            f"a quote may begin with one of {sorted(QUOTES)} in bold, got {quote}"
            for quote in re.findall(r"^> \*\*([^*]+)\*\*", source, re.M)
            if quote not in QUOTES
        ]
        problems += [f"cell {number}: {fault}" for fault in faults]
    return problems


def _without_code(source: str) -> str:
    # The opening line of a fenced block stays, because it names the directive.
    block = r"^(\s*```[^\n]*\n).*?^\s*```\s*$"
    source = re.sub(block, r"\1", source, flags=re.M | re.S)
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
    return [
        f"cell {n}: the picture {token.attrGet('src')} has no alternative text"
        for n, token in chapter.tokens
        if token.type == "image" and not token.content.strip()
    ] + [
        f"cell {n}: it has an attachment"
        for n, cell, _ in chapter.of_type("markdown")
        if cell.get("attachments")
    ]


def citations_are_links(chapter: ChapterFile) -> list[str]:
    problems, inside = [], 0
    for number, token in chapter.tokens:
        inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "text" and not inside:
            problems += [
                f"cell {number}: the citation {found[0]!r} is not a link"
                for found in CITATION.finditer(token.content)
            ][:1]
    return problems


def citations_are_in_the_bibliography(chapter: ChapterFile) -> list[str]:
    """A paper that a chapter links to by arXiv or DOI is in `book/references.bib`."""
    known = (chapter.root / "book" / "references.bib").read_text("utf8").lower()
    hrefs = [
        (number, PAPER.match(unquote(str(token.attrGet("href")))))
        for number, token in chapter.tokens
        if token.type == "link_open"
    ]
    return [
        f"cell {number}: {paper[1]} is not in book/references.bib"
        for number, paper in hrefs
        if paper and paper[1].lower() not in known
    ]


def citations_give_the_year_of_the_bibliography(chapter: ChapterFile) -> list[str]:
    """A work has one year in the whole book: that of its publication."""
    entries = (chapter.root / "book" / "references.bib").read_text("utf8").split("\n@")
    years = {
        work: year[1]
        for entry in entries
        if (year := YEAR.search(entry))
        for work in map(_work, ADDRESS.findall(entry))
    }
    return [
        f"cell {number}: {opened.attrGet('href')} is of {year}, not {found[0]}"
        for (number, opened), (_, words) in pairwise(chapter.tokens)
        if opened.type == "link_open"
        and (year := years.get(_work(str(opened.attrGet("href")))))
        and (found := re.search(r"\b(?:19|20)\d\d(?=[a-z]?\)?$)", words.content))
        and found[0] != year
    ]


def _work(address: str) -> str:
    """Return the number at arXiv, the DOI, or else the address."""
    paper = PAPER.match(unquote(address))
    return (paper[1] if paper else address).lower().rstrip("/")


def headings_in_order(chapter: ChapterFile) -> list[str]:
    """The first heading is the only title and has the chapter's number, no level is
    skipped, and the closing sections are in order.
    """
    problems = []
    titles = [(number, text) for number, level, text in chapter.headings if level == 1]
    start = f"{chapter.facts.get('chapter')}. "
    if [n for n, _ in titles] != [1] or not titles[0][1].startswith(start):
        problems.append(
            "the one title must come first and begin with the chapter's number, got "
            f"{titles}"
        )
    problems += [
        f"the heading {text!r} skips a level"
        for (_, before, _), (_, level, text) in pairwise(chapter.headings)
        if level > before + 1
    ]
    closing = [text for _, level, text in chapter.headings if level == 2]
    places = {
        name: next((k for k, text in enumerate(closing) if text.startswith(name)), None)
        for name in CLOSING
    }
    problems += [
        f"the section '## {name}' is missing"
        for name, place in places.items()
        if place is None
    ]
    present = [place for place in places.values() if place is not None]
    if present != sorted(present):
        problems.append(f"the sections must come in the order {', '.join(CLOSING)}")
    return problems


def opening_is_complete(chapter: ChapterFile) -> list[str]:
    """The badge opens this notebook, and the table of facts agrees with the metadata
    and the recorded running times.
    """
    before = takewhile(lambda cell: cell["cell_type"] != "code", chapter.cells)
    opening = "".join(text_of(cell["source"]) + "\n" for cell in before)
    repository = repository_address().removeprefix("https://github.com/")
    badge = (
        f"(https://colab.research.google.com/github/{repository}/blob/"
        f"{repository_branch()}/notebooks/{chapter.path.name})"
    )
    problems = []
    if badge not in opening:
        problems.append(f"before the set-up there must be a Colab badge with {badge}")
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
    return problems + [
        f"the table above the set-up must name the room `{room}`"
        for room in chapter.facts.get("rooms", [])
        if f"`{room}" not in opening
    ]


def vocabulary_links_to_the_glossary(chapter: ChapterFile) -> list[str]:
    text = "\n".join(text_of(cell["source"]) for cell in chapter.cells)
    section = text.partition("## Vocabulary")[2].partition("\n## ")[0]
    if (count := section.count(f"]({GLOSSARY})")) >= 3:
        return []
    return [f"'## Vocabulary' must link at least 3 words to the glossary, got {count}"]


def terms_are_introduced(chapter: ChapterFile) -> list[str]:
    """Terms that `terms.json` assigns to a chapter are introduced in bold, linked to
    the glossary, and used again.
    """
    assigned = json.loads((chapter.root / "tests/notebooks/terms.json").read_text())
    bold, linked = texts_within(chapter, "strong"), texts_within(chapter, "link")
    text = " ".join(one.content for _, one in chapter.tokens if one.type == "text")
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


def texts_within(chapter: ChapterFile, kind: str) -> list[str]:
    """Return the words within each strong emphasis, or each link to the glossary."""
    texts, inside = [], False
    for _, token in chapter.tokens:
        if token.type == f"{kind}_open":
            inside = kind == "strong" or token.attrGet("href") == GLOSSARY
            texts.append("")
        elif token.type == f"{kind}_close":
            inside = False
        elif inside and token.type in ("text", "softbreak"):
            texts[-1] += token.content or " "
    return texts


RULES = (
    links_resolve, markdown_is_plain, pictures_in_markdown_have_text,
    citations_are_links, citations_are_in_the_bibliography,
    citations_give_the_year_of_the_bibliography, headings_in_order,
    opening_is_complete, vocabulary_links_to_the_glossary, terms_are_introduced,
)  # fmt: skip
