"""The facts that a visit collects, on a page without faults and on one with all of
them, to show that the checks of the book's pages can fail.
"""

import pytest
import torch
from PIL import Image

from genai_tutorial.notebook import Frames, Sound
from tests.book.conftest import open_recorded
from tests.book.visit import DESK, Facts, gather

WHITE = '<p style="color: #000; background: #fff">Words.</p>'
CODE = (
    '<pre style="overflow-x: auto; width: {width}ch; max-width: 100%; '
    'font: 13px monospace">{line}</pre>'
)
CELL = (
    '<div class="cell"><div class="cell_input"><div class="highlight"><pre>x = 1</pre>'
    '<button class="copybtn" onclick="navigator.clipboard.writeText(\'{copied}\')">'
    "Copy</button></div></div></div>"
)
SOLUTION = (
    '<details class="hide" {state}><summary>Show the solution</summary>'
    '<div class="highlight"><pre>y = 2</pre>{folded}</div></details>'
)
DEAD_FIGURE = (
    '<div class="genai-frames"><img alt="A card." src="data:image/gif;base64,'
    'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7">'
    '<input type="range" aria-label="n"><output>1</output></div>'
)
FAULTS = "".join(
    [
        '<img src="https://example.org/a.png" alt="From another host">',
        '<script src="absent.js"></script>',
        "<script>throw new Error('a script fails')</script>",
        r'<span class="math">\(x\)</span><mjx-merror>?</mjx-merror>',
        '<div style="width: 900px">Too wide for a phone.</div>',
        CODE.format(width=70, line="x" * 88),
        CODE.format(width=70, line="y" * 89),
        '<img class="mute" src="data:,">',
        # One low-contrast word among many, and the last of three identical ones, of
        # which the others are hidden.
        "<p>" + '<span style="color: #000">good</span> ' * 300,
        '<span style="color: #aaa">faint</span></p>',
        '<p hidden style="color: #bbb">a</p><p style="color: #bbb">seen</p>',
        '<div style="background: #222"><span style="color: #000">dim</span></div>',
        "<style>@media (prefers-color-scheme: dark) {#night {color: #333}}</style>",
        "<style>@media (prefers-color-scheme: light) {#night {color: #fff}}</style>",
        '<p id="night" style="background: #111">night</p>',
        DEAD_FIGURE,
        '<audio controls aria-label="noise" src="data:audio/mpeg;base64,AAAA"></audio>',
        SOLUTION.format(state="open", folded=CODE.format(width=70, line="z" * 80)),
        CELL.format(copied="something else"),
    ]
)


@pytest.fixture(scope="module")
def visit_page(browser, address, axe_script):
    """A function that visits a page with the given article and returns its facts."""
    context = browser.new_context(
        viewport=DESK,
        color_scheme="light",
        permissions=["clipboard-read", "clipboard-write"],
    )

    def visit_page(body: str) -> Facts:
        text = (
            '<!DOCTYPE html><html lang="en"><title>A page</title><body style='
            '"background: #fff"><main><article><h1>A page</h1>'
            f"{body}</article></main>"
        )
        context.route(
            "**/page.html",
            lambda route: route.fulfill(body=text, content_type="text/html"),
        )
        page = open_recorded(context, address, "page.html")
        try:
            return gather(page, axe_script)
        finally:
            page.close()
            context.unroute("**/page.html")

    yield visit_page
    context.close()


@pytest.fixture(scope="module")
def good(visit_page) -> Facts:
    cards = [Image.new("RGB", (30, 10), (shade, 0, 0)) for shade in (0, 200)]
    figure = Frames.grid(cards, {"n": [1, 2]}, "A card.")
    return visit_page(
        WHITE
        + CODE.format(width=88, line="x" * 88)
        + figure.to_html()
        + Sound(torch.zeros(8_000), 16_000, "Silence", "Nothing.").to_html()
        + SOLUTION.format(state="", folded="")
        + CELL.format(copied="x = 1")
    )


@pytest.fixture(scope="module")
def faulty(visit_page) -> Facts:
    return visit_page(FAULTS)


def test_visit_reports_no_faults_on_good_page(good):
    assert (good.elsewhere, good.missing, good.errors) == ((), (), ())
    assert good.math.written == good.math.wrong == 0
    assert set(good.sideways.values()) == {0}
    assert good.scrolled_code == ()
    assert good.light == good.dark == {}
    (figure,) = good.figures
    assert figure.before == figure.back != figure.moved
    assert figure.moved.text == "A card (n 2)."
    assert figure.spoken_label == figure.moved.label == "2"
    assert figure.width == 30
    assert good.fold.count == 1
    assert (good.fold.seen_before, good.fold.seen_after) == (False, True)
    assert good.copied == "x = 1"


def test_visit_reports_failed_requests_and_scripts(faulty):
    assert faulty.elsewhere == ("https://example.org/a.png",)
    assert [address.rpartition("/")[2] for address in faulty.missing] == ["absent.js"]
    assert any("a script fails" in error for error in faulty.errors)


def test_visit_reports_formula_that_is_not_typeset(faulty):
    assert faulty.math == (1, 0, 0, 1, True)


def test_visit_reports_page_too_wide_for_phone(faulty):
    wide = [width for width, excess in faulty.sideways.items() if excess > 0]
    assert wide == [768, 375]


def test_visit_reports_scroll_bar_under_88_but_not_89_columns(faulty):
    lines = [line[0] * 2 + str(len(line)) for line in faulty.scrolled_code]
    assert lines == ["xx88", "zz80"]


def test_visit_reports_image_without_alt_text(faulty):
    assert any("mute" in node for node in faulty.light["image-alt"])


def test_visit_reports_each_kind_of_low_contrast_text(faulty):
    faint = faulty.light["color-contrast"]
    for word in ("faint", "seen", "dim"):
        assert sum(f">{word}<" in node for node in faint) == 1
    assert len(faint) == 3


def test_visit_reports_text_with_low_contrast_in_dark_mode_only(faulty):
    assert [node for node in faulty.light["color-contrast"] if "night" in node] == []
    assert [node for node in faulty.dark["color-contrast"] if "night" in node]


def test_visit_reports_slider_without_effect(faulty):
    (figure,) = faulty.figures
    assert figure.moved == figure.before
    assert figure.spoken_label is None


def test_visit_reports_unfolded_solution_and_wrong_copy_button(faulty):
    assert (faulty.fold.seen_before, faulty.fold.seen_after) == (True, False)
    assert faulty.copied == "something else"


def test_visit_reports_sound_that_does_not_play(good, faulty):
    assert good.sounds == pytest.approx((0.5,), abs=0.12)
    assert faulty.sounds == (0,)
