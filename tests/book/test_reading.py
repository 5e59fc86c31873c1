"""What a reader does with the book: move a slider, search, change to dark, copy a cell,
unfold a solution.
"""

import json

import pytest

from tests.book.conftest import DESK, PHONE, ROOT, chapter_pages

CHAPTERS = chapter_pages()


@pytest.mark.parametrize("path", CHAPTERS)
def test_a_slider_moves_by_keyboard(path, open_page):
    page = open_page(path)
    figures = page.locator(".genai-frames")
    assert figures.count() > 0, "a chapter has at least one interactive figure"
    for figure in figures.all():
        picture, slider, shown = (
            figure.locator("img").first,
            figure.locator("input[type=range]").last,
            figure.locator("output").last,
        )
        before = (
            picture.get_attribute("src"),
            picture.get_attribute("alt"),
            shown.inner_text(),
        )
        slider.focus()
        page.keyboard.press("ArrowRight")
        after = (
            picture.get_attribute("src"),
            picture.get_attribute("alt"),
            shown.inner_text(),
        )
        assert all(new != old for new, old in zip(after, before, strict=True)), (
            "picture, its text and the label change"
        )
        assert slider.get_attribute("aria-valuetext") == shown.inner_text()
        assert (
            picture.evaluate("image => image.decode().then(() => image.naturalWidth)")
            > 0
        )
        page.keyboard.press("Home")
        assert (
            picture.get_attribute("src"),
            picture.get_attribute("alt"),
            shown.inner_text(),
        ) == before


@pytest.mark.parametrize("path", CHAPTERS)
def test_math_is_typeset(path, open_page):
    page = open_page(path)
    assert page.locator("article mjx-container").count() > 5
    assert page.locator("article mjx-container mjx-assistive-mml").count() > 5, (
        "a screen reader gets MathML"
    )


def test_search_finds_a_word_of_the_glossary(open_page):
    page = open_page("search.html?q=perplexity")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    assert "Glossary" in results.all_inner_texts()
    assert page.elsewhere == []


def test_search_opens_by_keyboard_and_by_button(open_page):
    page = open_page("book/intro.html")
    page.keyboard.press("Control+k")
    field = page.locator("dialog[open] input[type=search]")
    field.wait_for()
    field.fill("softmax")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=softmax")
    page.locator("#search-results li a").first.wait_for()


def test_dark_mode_is_a_button_and_is_remembered(open_page):
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


@pytest.mark.parametrize("path", CHAPTERS)
def test_a_copied_cell_is_its_code(path, open_page):
    page = open_page(path, permissions=["clipboard-read", "clipboard-write"])
    # The first cell whose code is not folded.
    block = page.locator(
        "div.cell:not(.tag_hide-input) div.cell_input div.highlight"
    ).first
    block.scroll_into_view_if_needed()
    block.hover()
    block.locator("button.copybtn").click()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    notebook = json.loads((ROOT / path).with_suffix(".ipynb").read_text("utf8"))
    sources = [
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    assert copied.strip() in [source.strip() for source in sources]


@pytest.mark.parametrize("path", CHAPTERS)
def test_a_solution_is_folded_until_the_reader_asks(path, open_page):
    page = open_page(path)
    folds = page.locator("details.hide", has_text="Show the solution")
    assert folds.count() >= 3
    code = folds.first.locator("div.highlight")
    assert not code.is_visible()
    folds.first.locator("summary").click()
    assert code.is_visible()


def test_the_map_fits_the_page_and_leads_to_the_chapters(open_page):
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


def test_the_menu_opens_on_a_phone(open_page):
    page = open_page("book/intro.html", viewport=PHONE)
    entry = page.locator(".bd-sidebar-primary").get_by_text("Glossary")
    assert not entry.is_visible() or entry.bounding_box()["x"] < 0
    page.locator("button.primary-toggle:visible").click()
    page.wait_for_timeout(500)
    assert entry.bounding_box()["x"] >= 0
