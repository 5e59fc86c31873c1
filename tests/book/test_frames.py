"""The interactive figure on an otherwise empty page."""

import pytest
from PIL import Image

from genai_tutorial.notebook import Frames


@pytest.fixture
def open_figure(browser):
    """A function that opens a page with a figure with two sliders: three temperatures
    and two cut-offs.
    """
    contexts = []

    def open_figure(**options):
        pictures = [
            Image.new("RGB", (300, 100), (shade, 0, 0)) for shade in range(0, 240, 40)
        ]
        captions = [
            f"sample {number}\n" + "more text " * 20 * number for number in range(6)
        ]
        sliders = {"temperature": [0.5, 1.0, 2.0], "top-p": [0.9, 1.0]}
        figure = Frames.grid(pictures, sliders, "A red card.", captions=captions)
        context = browser.new_context(viewport={"width": 375, "height": 700}, **options)
        contexts.append(context)
        page = context.new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.set_content(
            '<html lang="en"><title>A figure</title><main><h1>A '
            f"figure</h1>{figure.to_html()}</main>"
        )
        return page

    yield open_figure
    for context in contexts:
        context.close()


def text_of(page) -> str:
    return page.locator("img").get_attribute("alt")


def test_sliders_select_frame_and_caption_by_keyboard(open_figure):
    page = open_figure()
    temperature, top_p = page.locator("input").all()
    assert text_of(page) == "A red card (temperature 0.5, top-p 0.9)."
    temperature.focus()
    page.keyboard.press("End")
    top_p.focus()
    page.keyboard.press("ArrowRight")
    assert text_of(page) == "A red card (temperature 2.0, top-p 1.0)."
    assert temperature.get_attribute("aria-valuetext") == "2.0"
    assert (
        page.locator(".genai-frames-captions > :visible")
        .all_inner_texts()[0]
        .startswith("sample 5\n")
    )
    assert page.locator(".genai-frames-note").count() == 0
    assert page.errors == []


def test_figure_keeps_its_position_between_frames(open_figure):
    page = open_figure()
    before = page.locator(".genai-frames").bounding_box()
    page.locator("input").first.focus()
    page.keyboard.press("End")
    assert page.locator(".genai-frames").bounding_box() == before
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_play_runs_to_last_frame_and_stops_on_slider_input(open_figure):
    page = open_figure()
    page.clock.install()
    play = page.get_by_role("button", name="Play temperature")
    play.click()
    assert page.get_by_role("button", name="Pause temperature").inner_text() == "Pause"
    page.clock.run_for(800)
    assert text_of(page) == "A red card (temperature 1.0, top-p 0.9)."
    page.clock.run_for(5000)
    assert text_of(page) == "A red card (temperature 2.0, top-p 0.9)."
    assert play.inner_text() == "Play"
    play.click()
    page.locator("input").last.focus()
    page.keyboard.press("End")
    page.clock.run_for(5000)
    assert text_of(page) == "A red card (temperature 0.5, top-p 1.0)."


def test_reduced_motion_hides_play_button(open_figure):
    page = open_figure(reduced_motion="reduce")
    assert page.locator("input").count() == 2
    assert page.get_by_role("button").count() == 0


def test_figure_without_javascript_shows_first_frame_and_caption(open_figure):
    page = open_figure(java_script_enabled=False)
    assert text_of(page) == "A red card (temperature 0.5, top-p 0.9)."
    assert "sample 0" in page.locator("main").inner_text()
    assert "Frame 1 of 6" in page.locator("main").inner_text()


def test_figure_passes_axe(open_figure, axe_script):
    page = open_figure()
    page.evaluate(axe_script)
    violations = page.evaluate("() => axe.run()")["violations"]
    assert [
        (rule["id"], [node["html"] for node in rule["nodes"]]) for rule in violations
    ] == []
