"""Every page of the built book, opened in a browser without external network access.

There is one test per page, so that each page is loaded only once.
"""

import json

import pytest

from tests.book.conftest import ROOT, all_pages, chapter_pages
from tests.book.visit import COLUMNS, DESK, WIDTHS, Facts

CHAPTERS = chapter_pages()


@pytest.mark.parametrize("path", all_pages())
def test_page(path, visit):
    facts = visit(path)
    assert facts.elsewhere == (), "the page sends requests to another host"
    assert facts.missing == (), "a resource of the page is missing"
    assert facts.errors == (), "a script failed"
    if facts.math.written:
        assert facts.math.typeset > 0, "no formula was typeset"
        assert facts.math.wrong == 0, "a formula has an error"
        assert not facts.math.left_as_tex, "a formula was left as TeX"
    sideways = [width for width in WIDTHS if facts.sideways[width] > 0]
    assert sideways == [], "the page scrolls horizontally"
    assert all(seconds > 0 for seconds in facts.sounds), "a sound does not play"
    assert facts.light == {}, "accessibility in light mode"
    assert facts.dark == {}, "accessibility in dark mode"
    if path in CHAPTERS:
        check_code(path, facts)
        check_formulas(facts)
        check_figures(facts)
        check_solutions(facts)


def check_code(path: str, facts: Facts):
    """Lines of 88 columns need no scroll bar, and the copy button copies the code."""
    assert (COLUMNS, DESK["width"]) == (88, 1280)
    assert facts.scrolled_code == ()
    notebook = json.loads((ROOT / path).with_suffix(".ipynb").read_text("utf8"))
    sources = [
        "".join(cell["source"]).strip()
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    assert facts.copied.strip() in sources


def check_formulas(facts: Facts):
    """A chapter has formulas, with MathML for screen readers."""
    assert facts.math.typeset > 5
    assert facts.math.spoken > 5


def check_figures(facts: Facts):
    """A chapter has interactive figures that respond to the arrow keys."""
    assert facts.figures
    for figure in facts.figures:
        assert figure.moved.picture != figure.before.picture
        assert figure.moved.text != figure.before.text
        assert figure.moved.label != figure.before.label
        assert figure.spoken_label == figure.moved.label
        assert figure.width > 0, "the slider selects an image that does not load"
        assert figure.back == figure.before


def check_solutions(facts: Facts):
    """Solutions are folded until the reader opens them."""
    assert facts.fold.count >= 3
    assert not facts.fold.seen_before
    assert facts.fold.seen_after
