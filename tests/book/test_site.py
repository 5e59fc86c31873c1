"""The files of the built book, checked without a browser."""

import importlib
import json
import os
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.book.conftest import ROOT, SITE, all_pages, chapter_pages

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
ALL_NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS(.*?)### END HIDDEN TESTS", re.DOTALL)


@cache
def soup(path: Path) -> BeautifulSoup:
    """Return the parsed page (cached)."""
    return BeautifulSoup(path.read_text("utf8"), "html.parser")


LOADING = {"script", "link", "img", "iframe", "source", "video", "audio", "object"}


class Page(HTMLParser):
    """The anchors, the links and the loaded files of a page. There are 600 pages, for
    which a parsed tree would take ten times as long.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text("utf8"))

    def handle_starttag(self, tag, attrs):
        found = {name: value or "" for name, value in attrs}
        self.anchors.add(found.get("id") or found.get("name") or "")
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADING and "canonical" not in found.get("rel", ""):
            keys = ("src", "href", "data", "srcset")
            self.loaded += [found[key] for key in keys if key in found]


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def code_cells(notebook: Path) -> list[dict]:
    """Return the code cells of a notebook."""
    return [
        cell
        for cell in json.loads(notebook.read_text("utf8"))["cells"]
        if cell["cell_type"] == "code"
    ]


def test_internal_links_resolve(site, pages):
    dead = []
    for path, page in pages.items():
        if "_static" in path.parts:
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path
            if parts.path:
                target = Path(os.path.normpath(path.parent / unquote(parts.path)))
            place = unquote(parts.fragment)
            is_there = target in pages or target.is_file()
            if not is_there or (
                place and target in pages and place not in pages[target].anchors
            ):
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []


def test_pages_load_nothing_from_other_hosts(site, pages):
    elsewhere = [
        f"{path.relative_to(site)}: {address}"
        for path, page in pages.items()
        for address in page.loaded
        if urlsplit(address).netloc
    ]
    assert elsewhere == []


@pytest.mark.parametrize("path", all_pages())
def test_images_have_alt_text(path, site):
    for image in soup(site / path).find_all("img"):
        text = (image.get("alt") or "").strip()
        decorative = image.get("alt") == "" and image.find_parent(
            "a", class_="navbar-brand"
        )
        assert text or decorative, image
        assert not re.fullmatch(r"\S*[/\\]\S*|.*\.(png|jpe?g|svg|gif)", text), (
            f"the text of a picture is its path: {text}"
        )


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_images_have_distinct_alt_texts(notebook, site):
    page = soup(site / f"notebooks/{notebook.stem}.html")
    shown = {image.get("alt") for image in page.find_all("img")}
    shown |= {text.get_text() for text in page.select(".schematic desc")}
    outputs = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    texts = [
        output["metadata"]["image/png"]["alt"]
        for output in outputs
        if "image/png" in output.get("data", {}) and "text/html" not in output["data"]
    ]
    assert texts
    assert set(texts) <= shown


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_hidden_tests_are_not_shown(notebook, site):
    sources = ["".join(cell["source"]) for cell in code_cells(notebook)]
    visible = HIDDEN.sub("", "\n".join(sources))
    hidden = {
        line.strip()
        for source in sources
        for part in HIDDEN.findall(source)
        for line in part.splitlines()
    }
    hidden = {line for line in hidden if len(line) > 15 and line not in visible}
    assert hidden, "a chapter has hidden tests"
    download = json.loads(
        (site / "_sources" / "notebooks" / notebook.name).read_text("utf8")
    )
    places = {
        "the page": soup(site / f"notebooks/{notebook.stem}.html").get_text(),
        "the download": "\n".join(
            "".join(cell["source"]) for cell in download["cells"]
        ),
        "the search index": (site / "searchindex.js").read_text("utf8"),
    }
    for place, text in places.items():
        assert [line for line in sorted(hidden) if line in text] == [], place
        for mark in ("HIDDEN TESTS", "BEGIN SOLUTION", "END SOLUTION"):
            assert mark not in text, place


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_solutions_are_folded(notebook, site):
    page = soup(site / f"notebooks/{notebook.stem}.html")
    solutions = [
        cell
        for cell in code_cells(notebook)
        if cell["metadata"].get("nbgrader", {}).get("solution")
    ]
    folds = [
        fold
        for fold in page.find_all("details", class_="hide")
        if "Show the solution" in fold.summary.get_text()
    ]
    assert len(solutions) == len(folds) >= 3
    assert not any(fold.has_attr("open") for fold in page.find_all("details"))


def test_scoreboard_lists_every_claim(site):
    def straight(
        text: str,
    ) -> str:  # the page has typographic apostrophes and quotation marks
        return text.translate(str.maketrans("‘’“”", "''\"\""))

    board = soup(site / "book/scoreboard.html")
    rows = {
        straight(row.find("a").get_text()): row
        for row in board.find("article").find_all("tr")
        if row.find("a")
    }
    recorded = 0
    continued = sorted((ROOT / "notebooks").glob("[0-9][0-9][a-z]_*.ipynb"))
    for notebook in [*NOTEBOOKS, *continued]:
        for cell in code_cells(notebook):
            for output in cell["outputs"]:
                claim = (
                    output.get("metadata", {}).get("genai_tutorial", {}).get("claim")
                )
                if claim:
                    recorded += 1
                    row = straight(rows[straight(claim["statement"]) + "."].get_text())
                    assert straight(claim["measured"]) in row
                    for opponent in ("baseline", "versus", "interval"):
                        assert straight(claim.get(opponent, "")) in row
    assert recorded == len(rows) > 0


def test_glossary_terms_link_to_their_entries(site):
    pages = [site / path for path in chapter_pages()]
    links = [
        link
        for page in pages
        for link in soup(page).find_all("a", href=re.compile(r"book/glossary\.html"))
    ]
    words = [link for link in links if "glossary" not in link.get_text().lower()]
    assert len(words) > 10
    for link in words:
        assert "#term-" in link["href"], link
        assert link.get("title"), "the definition is shown when hovering over the term"


def test_data_sets_are_listed_with_licences(site):
    from genai_tutorial.data import SOURCES

    text = soup(site / "book/data_and_licences.html").get_text()
    for source in SOURCES:
        for fact in (source.name, source.package, source.loader, source.attribution):
            assert fact in text


def test_cited_papers_are_in_bibliography():
    bibliography = (ROOT / "book" / "references.bib").read_text("utf8")
    paper = re.compile(
        r"https?://(?:www\.)?(?:arxiv\.org/(?:abs|pdf)/([\d.]+\d)|doi\.org/([^\s)\"<>\\]+))"
    )
    sources = [*ALL_NOTEBOOKS, *sorted((ROOT / "genai_tutorial").rglob("*.py"))]
    missing = {
        match[0]
        for source in sources
        for match in paper.finditer(source.read_text("utf8"))
        if (match[1] or match[2]).rstrip(".,;\\") not in bibliography
    }
    assert missing == set()


def test_api_reference_lists_every_public_name(site, pages, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book"))
    from _ext.room_reference import public_names

    rooms = 0
    for path in sorted((ROOT / "book" / "api").glob("*.md")):
        anchors = pages[site / f"book/api/{path.stem}.html"].anchors
        for room in re.findall(r"^```{room} (\S+)$", path.read_text("utf8"), re.M):
            rooms += 1
            names = public_names(importlib.import_module(f"genai_tutorial.{room}"))
            assert names, room
            for name in names:
                assert any(place.endswith(f".{name}") for place in anchors), (
                    f"{room}: {name}"
                )
    assert rooms > 20


def test_site_size_per_chapter():
    """Theme, fonts, MathJax and search take about 10 MB. A chapter adds its page, its
    notebook for download, its slides and the reference pages of its rooms. The models
    in the pages are loaded only on a click, and count for themselves.
    """
    models = folder_size(SITE / "models")
    assert models < 11e6
    assert folder_size(SITE) - models < 10e6 + 2.4e6 * len(NOTEBOOKS)


def test_plain_parts_of_programs_have_no_element_of_their_own():
    """They would be an eighth of the site, in the colour that they have without it."""
    page = (SITE / "notebooks" / "08_diffusion.html").read_text("utf8")
    assert '<span class="k">' in page
    assert not re.search(r'<span class="(n|p|w)">', page)


def folder_size(folder: Path) -> int:
    """Return the size of all files in a folder in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_page_size_per_chapter():
    """A page loads in a few seconds at 5 Mbit/s."""
    for notebook in ALL_NOTEBOOKS:
        page = SITE / "notebooks" / f"{notebook.stem}.html"
        assert page.stat().st_size < 1.5e6, page.name
