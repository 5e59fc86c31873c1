"""Every page of the built book, opened in a browser whose network ends at this
machine.
"""

import json

from tests.book.conftest import ROOT, all_pages, chapter_pages, each_page
from tests.book.visit import COLUMNS, DESK, WIDTHS

every_page = each_page(all_pages())
every_chapter = each_page(chapter_pages())


@every_page
def test_requests_of_a_page_stay_in_the_book_and_are_answered(path, visit):
    assert visit(path).elsewhere == (), "the page asks another host"
    assert visit(path).missing == (), "something on the page is not there"


@every_page
def test_scripts_of_a_page_do_not_fail(path, visit):
    assert visit(path).errors == ()


@every_page
def test_formulas_are_typeset(path, visit):
    math = visit(path).math
    if math.written:
        assert math.typeset > 0, "no formula was typeset"
        assert math.wrong == 0, "a formula has an error"
        assert not math.left_as_tex, "a formula was left as it is written"


@every_page
def test_page_does_not_scroll_sideways_at_any_width(path, visit):
    assert [width for width in WIDTHS if visit(path).sideways[width] > 0] == []


@every_page
def test_axe_finds_nothing_in_light_and_in_dark(path, visit):
    assert visit(path).light == {}
    assert visit(path).dark == {}


@every_chapter
def test_code_lines_of_88_columns_have_no_scroll_bar_on_a_desk(path, visit):
    assert (COLUMNS, DESK["width"]) == (88, 1280)
    assert visit(path).scrolled_code == ()


@every_chapter
def test_formulas_of_a_chapter_are_typeset_and_spoken(path, visit):
    math = visit(path).math
    assert math.typeset > 5
    assert math.spoken > 5, "a screen reader gets MathML"


@every_chapter
def test_sliders_move_by_keyboard(path, visit):
    figures = visit(path).figures
    assert figures, "a chapter has at least one interactive figure"
    for figure in figures:
        assert figure.moved.picture != figure.before.picture
        assert figure.moved.text != figure.before.text
        assert figure.moved.label != figure.before.label
        assert figure.spoken_label == figure.moved.label
        assert figure.width > 0, "the picture that the slider leads to is one"
        assert figure.back == figure.before


@every_chapter
def test_solutions_are_folded_until_the_reader_asks(path, visit):
    fold = visit(path).fold
    assert fold.count >= 3
    assert not fold.seen_before
    assert fold.seen_after


@every_chapter
def test_copied_cell_is_its_code(path, visit):
    notebook = json.loads((ROOT / path).with_suffix(".ipynb").read_text("utf8"))
    sources = [
        "".join(cell["source"]).strip()
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    assert visit(path).copied.strip() in sources
