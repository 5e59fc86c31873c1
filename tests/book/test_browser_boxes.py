"""The boxes on otherwise empty pages that are opened from a disk, with the network off,
and in the chapters of the built book.
"""

import json

import pytest
import torch

from genai_tutorial.browser import (
    Answerer,
    BrowserChat,
    BrowserModel,
    BrowserNextToken,
    BrowserTokens,
)
from genai_tutorial.edge import engine_script, model_script, pack_model
from genai_tutorial.recipes import load
from genai_tutorial.tasks.assistant import CHAT
from tests.book.conftest import ROOT, SITE

PROMPT = "ROMEO:\nBut soft, what light"
VERSE = "Shall I compare thee to a summer's d"
QUESTIONS = ["What is the capital of Japan?", "What is the capital of Zelvania?"]
DONE = "Computed in this page"
DARK = "@media (prefers-color-scheme: dark) {body {background: #121212; color: #ddd}}"


@pytest.fixture(scope="module")
def boxes() -> dict:
    shakespeare = pack_model("shakespeare", *load("shakespeare"))
    stages = {
        name: pack_model(f"factbook-{name}", *load(f"factbook-{name}"))
        for name in ("sft", "ppo")
    }
    answerers = {name: Answerer(packed, CHAT) for name, packed in stages.items()}
    return {
        "text": BrowserModel(shakespeare, PROMPT, "A text box"),
        "next": BrowserNextToken(shakespeare, VERSE, unit="character"),
        "chat": BrowserChat(answerers, QUESTIONS, "A chat box"),
        "tokens": BrowserTokens(load("factbook-ppo")[1], "the capital", [0, 1789]),
    }


@pytest.fixture(scope="module")
def folder(boxes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "models").mkdir()
    (folder / "models" / "engine.js").write_text(engine_script(), "utf8")
    for packed in {p.name: p for box in boxes.values() for p in box.models}.values():
        script = model_script(packed)
        (folder / "models" / f"{packed.name}.js").write_text(script, "utf8")
    return folder


@pytest.fixture
def open_box(browser, folder):
    """A function that opens a page with some HTML from the disk at phone width."""
    contexts = []

    def open_box(content: str, root: str = 'data-content_root="./"', **options):
        context = browser.new_context(
            viewport={"width": 375, "height": 800}, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.asked, page.errors = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        path = folder / f"page{len(list(folder.glob('*.html')))}.html"
        path.write_text(
            f'<!DOCTYPE html><html lang="en" {root}><meta name="viewport" '
            f'content="width=device-width"><title>A box</title><style>{DARK}</style>'
            f"<main><h1>A box</h1>{content}</main>",
            "utf8",
        )
        page.goto(path.as_uri())
        return page

    yield open_box
    for context in contexts:
        context.close()


def run(page, verb: str):
    """Click the button that loads the model, and wait until the task is done."""
    page.get_by_role("button", name=verb).click()
    page.get_by_text(DONE).wait_for()


def files_asked(page) -> list[str]:
    return [url.rpartition("/")[2] for url in page.asked[1:]]


def test_box_requests_nothing_before_the_click_and_its_two_files_after(open_box, boxes):
    page = open_box(boxes["text"].to_html())
    assert "recorded in advance" in page.locator("[role=status]").inner_text()
    assert page.locator("pre").inner_text() == boxes["text"].sample
    assert files_asked(page) == []
    run(page, "and write")
    assert files_asked(page) == ["engine.js", "shakespeare.js"]
    text = page.locator("pre").inner_text()
    assert text.startswith(PROMPT)
    assert len(text) == len(PROMPT) + 200
    page.get_by_role("button", name="Write").click()
    page.wait_for_function(
        "old => document.querySelector('pre').innerText.length === old.length && "
        "document.querySelector('pre').innerText !== old",
        arg=text,
    )
    status = page.get_by_text(DONE)
    status.wait_for()
    assert "tokens per second" in status.inner_text()
    assert status.inner_text().endswith("requests sent since the model was loaded: 0.")
    assert len(files_asked(page)) == 2
    assert page.errors == []


def test_box_writes_the_same_greedy_text_as_pytorch(open_box, boxes):
    from genai_tutorial.generation import generate

    model, tokenizer = boxes["text"].models[0].unpack()
    ids = torch.tensor([tokenizer.encode(PROMPT)])
    expected = tokenizer.decode(generate(model, ids, 100, temperature=0)[0].tolist())
    page = open_box(boxes["text"].to_html())
    page.get_by_role("slider", name="temperature").press("Home")
    run(page, "and write")
    assert page.locator("pre").inner_text()[: len(expected)] == expected


def test_box_is_operated_by_keyboard_alone(open_box, boxes):
    page = open_box(boxes["text"].to_html())
    seen = []
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.tagName"))
    assert seen == ["TEXTAREA", "INPUT", "INPUT", "BUTTON"]
    page.keyboard.press("Enter")
    page.get_by_text(DONE).wait_for()
    slider = page.get_by_role("slider", name="top-p")
    slider.press("End")
    slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "0.95"


def test_cut_cable_refuses_requests_and_the_model_goes_on(open_box, boxes):
    page = open_box(boxes["text"].to_html())
    cable = page.get_by_role("button", name="Cut the cable")
    assert cable.is_disabled()
    run(page, "and write")
    fetched = "fetch('data:,x').then(() => 'sent', () => 'refused')"
    assert page.evaluate(fetched) == "sent"
    cable.click()
    page.get_by_text("the browser refused").wait_for()
    assert page.evaluate(fetched) == "refused"
    run(page, "Write")
    assert page.locator("pre").inner_text().startswith(PROMPT)


def test_unknown_characters_are_named(open_box, boxes):
    page = open_box(boxes["text"].to_html())
    page.get_by_label("Begin the text").fill("Ünë")
    page.get_by_role("button", name="and write").click()
    page.get_by_text("has never seen Ü ë").wait_for()
    page.get_by_label("Begin the text").fill("One")
    run(page, "Write")


def test_missing_file_is_reported_and_tried_again(open_box, boxes, folder):
    path = folder / "models" / "shakespeare.js"
    page = open_box(boxes["text"].to_html())
    path.rename(path.with_suffix(".away"))
    try:
        page.get_by_role("button", name="and write").click()
        page.get_by_text("The file models/shakespeare.js did not load").wait_for()
    finally:
        path.with_suffix(".away").rename(path)
    run(page, "Write")


def test_chat_answers_equal_the_recorded_ones(open_box, boxes):
    page = open_box(boxes["chat"].to_html())
    exchanges = page.locator(".genai-browser-exchange")
    recorded = page.locator(".genai-browser-exchange.genai-browser-recorded")
    assert exchanges.count() == recorded.count() == 2
    assert recorded.locator("small").all_inner_texts() == [" · recorded"] * 2
    run(page, "and ask")
    for question in QUESTIONS:
        page.get_by_role("button", name=question).click()
        page.get_by_text(DONE).wait_for()
        newest = exchanges.first
        assert newest.locator("strong").inner_text() == question
        answers = [text.strip() for text in newest.locator("dd").all_inner_texts()]
        assert answers == list(boxes["chat"].answers[question].values())
        # It takes the place of the recorded one, and says so.
        assert newest.locator("small").inner_text() == " · computed here"
    assert recorded.count() == 0
    assert exchanges.locator("strong").all_inner_texts().count(QUESTIONS[1]) == 1
    assert files_asked(page) == ["engine.js", "factbook-sft.js", "factbook-ppo.js"]


def test_chat_answers_a_typed_question_on_enter_and_refuses_a_long_one(open_box, boxes):
    page = open_box(boxes["chat"].to_html())
    run(page, "and ask")
    field = page.get_by_label("Your question")
    field.fill("What is the currency of Japan?")
    field.press("Enter")
    page.get_by_text(DONE).wait_for()
    first = page.locator(".genai-browser-exchange").first
    assert "currency" in first.locator("strong").inner_text()
    field.fill("word " * 200)
    field.press("Enter")
    page.get_by_text("too long").wait_for()


def test_next_token_probabilities_follow_the_typed_text(open_box, boxes):
    page = open_box(boxes["next"].to_html())
    rows = page.locator("tbody tr")
    recorded = rows.all_inner_texts()
    run(page, "and predict")
    assert [row.split() for row in rows.all_inner_texts()] == [
        row.split() for row in recorded
    ]
    model, tokenizer = boxes["next"].models[0].unpack()
    typed = "Once more unto the breac"
    page.get_by_label("Your text").fill(typed)
    page.wait_for_function("document.querySelector('tbody').innerText.startsWith('h')")
    with torch.no_grad():
        logits = model(torch.tensor([tokenizer.encode(typed)]))[0, -1]
    assert rows.first.inner_text().split()[1] == f"{logits.softmax(0).max():.1%}"
    page.get_by_role("button", name="Add h").click()
    assert page.get_by_label("Your text").input_value() == typed + "h"


def test_next_token_box_shows_no_prediction_beside_an_error(open_box, boxes):
    page = open_box(boxes["next"].to_html())
    run(page, "and predict")
    for text, message in (("🙂", "has never seen"), ("", "at least one character")):
        page.get_by_label("Your text").fill(text)
        page.get_by_text(message).wait_for()
        assert page.locator("tbody tr").count() == 0
        assert "Most probable" not in page.locator("main").inner_text()
    page.get_by_label("Your text").fill("To be")
    page.get_by_text("Most probable next").wait_for()


def test_tokens_need_no_file_and_follow_text_and_slider(open_box, boxes):
    page = open_box(boxes["tokens"].to_html(), root="")
    tokenizer = load("factbook-ppo")[1]
    text = "Nairobi is the capital\nof Kenya 🙂"
    page.get_by_role("textbox").fill(text)
    items = page.locator("li small")
    assert list(map(int, items.all_inner_texts())) == tokenizer.encode(text)
    page.get_by_role("slider", name="merges").press("Home")
    assert items.count() == len(text.encode())
    assert (
        f"{len(text.encode())} tokens, 1.00" in page.locator("p").all_inner_texts()[1]
    )
    page.get_by_role("textbox").fill("a" * 2500)
    page.get_by_text("in the first 2,000 of 2,500 characters").wait_for()
    assert files_asked(page) == []


def test_boxes_without_scripts_show_the_recorded_text(open_box, boxes):
    for box in boxes.values():
        page = open_box(box.to_html(), java_script_enabled=False)
        words = page.locator("main").inner_text()
        assert "Recorded in advance" in words
        assert page.locator("button, input, textarea").count() == 0
    page = open_box(boxes["text"].to_html(), java_script_enabled=False)
    assert page.locator("pre").inner_text() == boxes["text"].sample


def test_box_outside_the_book_keeps_the_recorded_text(open_box, boxes):
    page = open_box(boxes["text"].to_html(), root="")
    assert page.locator("button").count() == 0
    assert page.locator("pre").inner_text() == boxes["text"].sample
    assert page.errors == []


def test_embedded_box_works_without_any_file(open_box, boxes):
    page = open_box(boxes["text"].embedded().to_html(), root="")
    run(page, "and write")
    assert files_asked(page) == []


def test_two_boxes_share_a_model_and_take_turns(open_box, boxes):
    page = open_box(boxes["text"].to_html() + boxes["next"].to_html())
    page.get_by_role("button", name="and write").click()
    page.get_by_role("button", name="and predict").click()
    page.wait_for_function(
        "[...document.querySelectorAll('[role=status]')].every(status => "
        f"status.innerText.startsWith('{DONE}'))"
    )
    assert files_asked(page) == ["engine.js", "shakespeare.js"]
    assert page.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_boxes_pass_axe_and_fit_a_phone(open_box, boxes, axe_script, scheme):
    content = "".join(box.to_html() for box in boxes.values())
    page = open_box(content, color_scheme=scheme)
    for verb in ("and write", "and ask", "and predict"):
        page.get_by_role("button", name=verb).click()
    page.wait_for_function(
        "[...document.querySelectorAll('[role=status]')].every(status => "
        f"status.innerText.startsWith('{DONE}'))"
    )
    page.evaluate(axe_script)
    violations = page.evaluate("() => axe.run()")["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def chapters_with_models() -> list[str]:
    """Return the chapters whose outputs mention a model, and may be loaded."""
    return [
        path.stem
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        if any(
            output.get("metadata", {}).get("genai_tutorial", {}).get("browser_models")
            for cell in json.loads(path.read_text("utf8"))["cells"]
            for output in cell.get("outputs", ())
        )
    ]


@pytest.mark.parametrize("name", chapters_with_models())
def test_chapter_runs_its_models_from_the_disk_without_network(site, browser, name):
    """On a page of the built book: no request before the click, none but the engine
    and the models after it, and the text is computed in the page.
    """
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((SITE / "notebooks" / f"{name}.html").as_uri())
    page.wait_for_load_state("networkidle")
    asked = []

    def note(request):
        if not request.url.endswith("favicon.svg"):  # which the browser asks for late
            asked.append(request.url)

    page.on("request", note)
    boxes = page.locator(".genai-browser:has([role=status])")
    assert boxes.count() > 0
    for box in boxes.all():
        assert "recorded in advance" in box.locator("[role=status]").inner_text()
    assert asked == []
    for box in boxes.all():
        box.get_by_role("button", name="Load").click()
        box.get_by_text(DONE).wait_for()
        assert box.locator("[role=status]").inner_text().endswith(": 0.")
    assert all(url.startswith((SITE / "models").as_uri()) for url in asked)
    assert len(asked) == len(set(asked)) >= 2
    context.close()
