"""Slides in Chromium at 1280 x 720, and the questions and links on the built pages."""

import re
from pathlib import Path

import pytest

from genai_tutorial.teaching.questions import read_questions
from genai_tutorial.teaching.slides import deck, read_slides

ROOT = Path(__file__).resolve().parents[2]
DECKS = sorted((ROOT / "book" / "slides").glob("*.md"))
QUESTIONS = sorted((ROOT / "book" / "questions").glob("*.yml"))
SMALLEST = 0.75  # of the usual size of text
# What leaves its slide, and how small its text has become.
MEASURE = """() => [...document.querySelectorAll("section")].map((slide, index) => {
  go(index + 1);
  const body = slide.querySelector(".body"), frame = slide.getBoundingClientRect();
  const outside = [...slide.querySelectorAll("h1, h2, .body *")].filter((part) => {
    const box = part.getBoundingClientRect();
    return box.width && !part.closest("svg *")
      && (box.right > frame.right - 40 || box.bottom > frame.bottom - 30);
  });
  const images = [...slide.querySelectorAll("img, .drawing")];
  return {
    outside: outside.map((part) => part.outerHTML.slice(0, 60)),
    more: body.scrollHeight - body.clientHeight,
    fit: Number(body.style.getPropertyValue("--fit") || 1),
    images: images.map((image) => image.getBoundingClientRect().height),
    named: [...slide.querySelectorAll("img")].every((image) => image.alt),
  };
})"""


@pytest.fixture
def open_deck(browser, tmp_path):
    """A function that opens the slides of a chapter from a file."""
    contexts = []

    def open_deck(source: Path):
        notebook = next((ROOT / "notebooks").glob(f"{source.stem}_*.ipynb"))
        path = tmp_path / f"{source.stem}.html"
        path.write_text(deck(source, notebook), "utf8")
        contexts.append(
            browser.new_context(
                viewport={"width": 1280, "height": 720}, color_scheme="light"
            )
        )
        page = contexts[-1].new_page()
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("console", lambda said: page.faults.append(said.text))
        page.on(
            "request",
            lambda sent: (
                sent.url.startswith(("file:", "data:")) or page.faults.append(sent.url)
            ),
        )
        page.goto(path.as_uri())
        return page

    yield open_deck
    for context in contexts:
        context.close()


@pytest.mark.parametrize("source", DECKS, ids=lambda path: path.stem)
def test_slides_fit_and_request_nothing(open_deck, source):
    page = open_deck(source)
    for number, slide in enumerate(page.evaluate(MEASURE), start=1):
        where = f"slide {number}"
        assert slide["outside"] == [], where
        assert slide["more"] <= 1, where
        assert slide["fit"] >= SMALLEST, where
        assert min(slide["images"], default=720) >= 200, where
        assert slide["named"], where
    assert page.faults == []


@pytest.mark.parametrize("source", DECKS[:1], ids=lambda path: path.stem)
def test_keys_of_a_deck(open_deck, source):
    slides = read_slides(source)
    asking = next(
        index
        for index, slide in enumerate(slides)
        if any(item.kind == "question" for item in slide.items)
    )
    page = open_deck(source)
    page.evaluate(f"go({asking + 1})")
    answer = page.locator("section.now .later").first
    assert not answer.is_visible()
    page.keyboard.press("Space")
    assert answer.is_visible()
    assert page.url.endswith(f"#{asking + 1}")
    page.keyboard.press("n")
    first_words = slides[asking].notes.split()[0]
    assert page.locator("#notes").inner_text().startswith(first_words)
    page.keyboard.press("d")
    assert page.evaluate("document.documentElement.className") == "dark"
    page.keyboard.press("o")
    assert page.locator("section:visible").count() == len(slides)
    page.locator("section").last.click()
    assert page.url.endswith(f"#{len(slides)}")
    page.keyboard.press("ArrowLeft")
    assert page.url.endswith(f"#{len(slides) - 1}")
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type ?/Page\b", printed)) == len(slides)
    assert page.faults == []


def chapter_page(path: Path) -> str:
    notebook = next((ROOT / "notebooks").glob(f"{path.stem}_*.ipynb"))
    return f"notebooks/{notebook.stem}.html"


@pytest.mark.parametrize("path", QUESTIONS[:1], ids=lambda path: path.stem)
def test_questions_say_why_an_answer_is_wrong(open_page, path):
    page = open_page(chapter_page(path))
    fields = page.locator(".question")
    for number, question in enumerate(read_questions(path)):
        field = fields.nth(number)
        wrong, why = next(iter(question.wrong.items()))
        for value, reply in ((wrong, f"✗ {why}"), (question.answer, "✓ Correct.")):
            if question.choices:
                field.locator("input").nth(question.choices.index(value)).check()
            else:
                field.locator("input").fill(f"{value:.10g}".replace(".", ","))
                field.locator("input").press("Tab")
            said = field.locator("output").inner_text()
            assert said == re.sub(r"[*`$]", "", reply)
        assert field.locator("details").get_attribute("open") is not None
    page = open_page(chapter_page(path), java_script_enabled=False)
    answer = page.locator(".question details").first
    answer.locator("summary").click()
    assert answer.locator("p").is_visible()


@pytest.mark.parametrize("source", DECKS[:1], ids=lambda path: path.stem)
def test_chapter_and_page_for_teachers_lead_to_slides(open_page, source):
    for path in (chapter_page(source), f"book/teachers/{source.stem}.html"):
        page = open_page(path)
        page.locator(f'a[href$="slides/{source.stem}.html"]').click()
        page.wait_for_url(f"**/slides/{source.stem}.html*")
        assert page.missing == []
