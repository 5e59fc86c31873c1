"""Navigation of the book: search, dark mode, map and menu. The checks of every page are
in `test_pages.py`.
"""

from itertools import pairwise

from tests.book.conftest import chapter_pages
from tests.book.visit import DESK, NEXT_FRAMES, PHONE, UNFOLD, WIDTHS

CHAPTERS = chapter_pages()


def search_results(page) -> list[str]:
    page.get_by_text("Search finished").wait_for()
    return page.locator("#search-results li a").all_inner_texts()


def test_search_names_the_term_then_titles_then_the_package(open_page):
    page = open_page("search.html?q=attention")
    results = search_results(page)
    assert results[:2] == ["attention", "3. Embeddings and self-attention"]
    assert results.count("Glossary") == 1  # the page, not an entry without a name
    first = page.locator("#search-results li").first.inner_text()
    assert "Glossary: A layer in which each position" in first
    package = [index for index, one in enumerate(results) if "genai_tutorial." in one]
    chapters = [index for index, one in enumerate(results) if one[0].isdigit()]
    assert package
    assert max(chapters) < min(package)
    assert page.elsewhere == []


def test_search_on_a_disk_reads_no_other_page(browser, site):
    context = browser.new_context()
    page, errors = context.new_page(), []
    page.on("console", lambda said: said.type == "error" and errors.append(said.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site / "search.html").as_uri() + "?q=perplexity")
    assert search_results(page)[0] == "perplexity"
    assert errors == []
    context.close()


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
        assert shown.locator("text.map-title").count() == len(CHAPTERS)
        assert shown.locator("a").count() == len(CHAPTERS)
    page.locator("svg.chapter-map:visible a").first.click()
    page.wait_for_url(f"**/{CHAPTERS[0]}")


PARTS = 7

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


def test_map_labels_stay_within_columns(open_page):
    page = open_page("book/intro.html")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": DESK["height"]})
        words = map_words(page)
        labels = 2 * PARTS + 2 * len(CHAPTERS)  # numbers and titles
        assert len(words) == labels
        assert {word: room for word, room in words.items() if room < 4} == {}, width
        columns = page.locator("svg.chapter-map:visible .map-room").evaluate_all(
            "(rooms) => rooms.map((room) => [room.getBBox().x, room.getBBox().width])"
        )
        for (begin, wide), (following, _) in pairwise(columns):
            assert begin + wide < following


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


def test_keyboard_reaches_code_that_scrolls_in_opened_fold(open_page):
    page = open_page(CHAPTERS[8], viewport=PHONE)
    page.evaluate(UNFOLD)
    page.evaluate(NEXT_FRAMES)
    stops = page.evaluate(
        "() => [...document.querySelectorAll('article details pre')]"
        ".filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.tabIndex)"
    )
    assert len(stops) > 5
    assert set(stops) == {0}


def test_scoreboard_filter_shows_claims_of_chapter_source_and_words(open_page):
    page = open_page("book/scoreboard.html")
    form = page.locator("#filter")
    rows = page.locator("table.scoreboard tbody tr")
    visible = page.locator("table.scoreboard tbody tr:visible")
    count = page.locator("#filter output")
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
    assert "use fewer or shorter words" in count.inner_text()
    assert page.elsewhere == []


def test_scoreboard_filter_reads_titles_and_folds_accents(open_page):
    page = open_page("book/scoreboard.html")
    words = page.locator("#filter").get_by_label("Words")
    words.fill("hallucination")
    headings = page.locator(".scoreboard-chapter:visible").all_inner_texts()
    assert "21. Hallucination and retrieval" in headings
    visible = page.locator("table.scoreboard tbody tr:visible")
    found = {}
    for word in ("frechet", "Fréchet"):
        words.fill(word)
        found[word] = visible.all_inner_texts()
    assert found["frechet"] == found["Fréchet"] != []


def test_glossary_filter_shows_terms_that_have_the_words(open_page):
    page = open_page("book/glossary.html")
    page.locator("#filter").get_by_label("Words").fill("frechet")
    terms = page.locator("dl.glossary dt:visible")
    assert [term.rstrip("#") for term in terms.all_inner_texts()] == [
        "Fréchet distance"
    ]
    assert page.locator("section:has(> dl.glossary):visible").count() == 1


def test_phone_shows_the_facts_of_a_chapter_and_where_tables_go_on(open_page):
    page = open_page(CHAPTERS[3], viewport=PHONE)
    sizes = "box => [box.scrollWidth - box.clientWidth, box.clientWidth]"
    facts = page.locator(".pst-scrollable-table-container").first
    hidden, width = facts.evaluate(sizes)
    assert hidden <= 0 < width
    names = facts.locator("th").all()
    places = [name.bounding_box() for name in names]
    assert [place["y"] for place in places] == sorted({p["y"] for p in places})
    page.goto(page.url.replace(CHAPTERS[3], "book/scoreboard.html"))
    board = page.locator(".pst-scrollable-table-container").first
    assert board.evaluate(sizes)[0] <= 0, "each claim has its numbers below it"
    page.goto(page.url.replace("book/scoreboard.html", "book/speedrun.html"))
    wide = page.locator(".pst-scrollable-table-container").first
    assert wide.evaluate(sizes)[0] > 0
    shadow = "box => getComputedStyle(box).backgroundAttachment"
    assert wide.evaluate(shadow) == "local, local, scroll, scroll"
