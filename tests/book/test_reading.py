"""Navigation of the book: search, dark mode, map and menu. The checks of every page are
in `test_pages.py`.
"""

from itertools import pairwise

import pytest

from tests.book.conftest import chapter_pages
from tests.book.visit import DESK, PHONE, WIDTHS

CHAPTERS = chapter_pages()


def test_search_finds_glossary_term(open_page):
    page = open_page("search.html?q=perplexity")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    assert "Glossary" in results.all_inner_texts()
    assert page.elsewhere == []


def test_search_opens_by_keyboard_and_button(open_page):
    page = open_page("book/intro.html")
    page.keyboard.press("Control+k")
    field = page.locator("dialog[open] input[type=search]")
    field.wait_for()
    field.fill("softmax")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=softmax")
    page.locator("#search-results li a").first.wait_for()


def test_dark_mode_button_is_remembered(open_page):
    page = open_page("book/intro.html")

    def background() -> int:
        color = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        return sum(
            int(part)
            for part in color.removeprefix("rgb(").removesuffix(")").split(",")
        )

    light = background()
    button = page.locator(".theme-switch-button:visible").first
    for _ in range(3):
        button.click()
        if page.evaluate("() => document.documentElement.dataset.mode") == "dark":
            break
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    assert background() < 150 < 600 < light
    page.reload()
    assert background() < 150


def test_map_fits_page_and_links_to_chapters(open_page):
    page = open_page("book/intro.html")
    for size, kind in ((DESK, "wide"), (PHONE, "narrow")):
        page.set_viewport_size(size)
        shown = page.locator("svg.chapter-map:visible")
        assert shown.count() == 1
        assert f"map-{kind}" in shown.get_attribute("class")
        letters = shown.locator("text.map-title").first.evaluate(
            "text => parseFloat(getComputedStyle(text).fontSize) * "
            "text.getScreenCTM().a"
        )
        assert letters >= 12, f"letters of {letters:.1f} pixels are too small to read"
        assert shown.locator("text.map-title").count() == 29
        assert shown.locator("a").count() == len(CHAPTERS)
    page.locator("svg.chapter-map:visible a").first.click()
    page.wait_for_url(f"**/{CHAPTERS[0]}")


# The labels of the map as they will look once all chapters are ready, and the distance
# in pixels of each from the edges of its column and from the lines of the map.
MAP_WORDS = """(svg) => {
  for (const planned of svg.querySelectorAll(".planned"))
    planned.classList.replace("planned", "ready");
  const dots = [...svg.querySelectorAll(".map-turn, .map-line")].flatMap((line) =>
    Array.from({length: line.getTotalLength() / 5}, (_, index) =>
      line.getPointAtLength(5 * index)));
  return [...svg.querySelectorAll(".map-column")].flatMap((column) => {
    const room = column.querySelector(".map-room").getBBox();
    return [...column.querySelectorAll("text")].map((text) => {
      const {x, y, width, height} = text.getBBox();
      const free = [x - room.x, room.x + room.width - x - width, y - room.y,
        room.y + room.height - y - height];
      for (const dot of dots)
        if (y <= dot.y && dot.y <= y + height)
          free.push(Math.max(x - dot.x, dot.x - x - width));
      return [text.textContent, svg.getScreenCTM().a * Math.min(...free)];
    });
  });
}"""


def map_words(page) -> dict[str, float]:
    shown = page.locator("svg.chapter-map:visible")
    return dict(shown.evaluate(MAP_WORDS))


@pytest.mark.parametrize("width", WIDTHS)
def test_map_labels_stay_within_columns(width, open_page):
    page = open_page("book/intro.html", viewport={"width": width, "height": 900})
    words = map_words(page)
    assert len(words) == 6 + 6 + 29 + 29, "parts, their titles, numbers, titles"
    assert {word: room for word, room in words.items() if room < 4} == {}
    columns = page.locator("svg.chapter-map:visible .map-room").evaluate_all(
        "(rooms) => rooms.map((room) => [room.getBBox().x, room.getBBox().width])"
    )
    for (begin, width), (following, _) in pairwise(columns):
        assert begin + width < following


def test_map_label_outside_column_is_detected(open_page):
    page = open_page("book/intro.html")
    page.evaluate(
        "() => document.querySelectorAll('.map-title').forEach((title) => "
        "(title.textContent += ' and a good deal more'))"
    )
    words = map_words(page)
    assert words["The Transformer language model and a good deal more"] < 0
    assert words["4"] >= 4


def test_menu_opens_on_phone(open_page):
    page = open_page("book/intro.html", viewport=PHONE)
    entry = page.locator(".bd-sidebar-primary").get_by_text("Glossary")
    assert not entry.is_visible() or entry.bounding_box()["x"] < 0
    page.locator("button.primary-toggle:visible").click()
    page.wait_for_timeout(500)
    assert entry.bounding_box()["x"] >= 0


def test_scoreboard_filter_shows_claims_of_chapter_source_and_words(open_page):
    page = open_page("book/scoreboard.html")
    form = page.locator("#scoreboard-filter")
    rows = page.locator("table.scoreboard tbody tr")
    visible = page.locator("table.scoreboard tbody tr:visible")
    count = page.locator("#scoreboard-filter output")
    everything = rows.count()
    assert count.inner_text() == f"{everything} of {everything} claims"

    form.get_by_label("Source").select_option("exact")
    sources = visible.locator("td:nth-child(4)").all_inner_texts()
    assert set(sources) == {"exact"}
    assert 0 < len(sources) < everything

    form.get_by_label("Chapter").select_option(
        label="4. The Transformer language model"
    )
    assert page.locator(".scoreboard-chapter:visible").count() == 1
    form.get_by_label("Words").fill("attention PyTorch")
    assert visible.count() == 1
    assert count.inner_text() == f"1 of {everything} claims"
    form.get_by_label("Words").fill("no claim says this")
    assert visible.count() == 0
    assert page.elsewhere == []
