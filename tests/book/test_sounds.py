"""Sounds on an otherwise empty page: they play without network and JavaScript."""

import pytest
import torch
from PIL import Image

from genai_tutorial.notebook import Frames, Sound, Sounds

TONES = [
    torch.sin(torch.arange(samples) * pitch / 16_000) / 2
    for samples, pitch in ((8_000, 3_000), (16_000, 5_000))
]
LOAD = """audio => new Promise(resolve => {
  audio.onloadedmetadata = () => resolve(audio.duration);
  audio.onerror = () => resolve(-audio.error.code);
  audio.load();
  audio.preload = "metadata";
})"""


def two_sounds() -> list[Sound]:
    return [
        Sound(tone, 16_000, f"Tone {number}", f"A steady tone, number {number}.")
        for number, tone in enumerate(TONES, 1)
    ]


@pytest.fixture
def open_page(browser):
    """A function that opens a page with some HTML at phone width."""
    contexts = []

    def open_page(content: str, **options):
        context = browser.new_context(viewport={"width": 375, "height": 700}, **options)
        contexts.append(context)
        page = context.new_page()
        page.asked = []
        page.on("request", lambda request: page.asked.append(request.url))
        page.set_content(
            '<html lang="en"><title>Sounds</title><style>@media '
            "(prefers-color-scheme: dark) {body {background: #121212; color: #ddd}}"
            f"</style><main><h1>Sounds</h1>{content}</main>"
        )
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("kind", ["mp3", "wav"])
def test_sounds_load_and_last_as_long_as_their_waves(open_page, monkeypatch, kind):
    monkeypatch.setattr(
        "genai_tutorial.notebook.sound.mp3_is_available", lambda: kind == "mp3"
    )
    page = open_page(Sounds(two_sounds()).to_html())
    seconds = [audio.evaluate(LOAD) for audio in page.locator("audio").all()]
    assert seconds == pytest.approx([0.5, 1.0], abs=0.12)
    assert all(url.startswith("data:") for url in page.asked)


def test_sounds_show_name_and_transcript_without_javascript(open_page):
    page = open_page(Sounds(two_sounds()).to_html(), java_script_enabled=False)
    words = page.locator("main").inner_text()
    assert "Tone 2" in words
    assert "A steady tone, number 2." in words
    box = page.locator("audio").first.bounding_box()
    assert 0 < box["width"] <= 375
    assert box["height"] > 30


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sounds_pass_axe(open_page, axe_script, scheme):
    page = open_page(Sounds(two_sounds()).to_html(), color_scheme=scheme)
    page.evaluate(axe_script)
    violations = page.evaluate("() => axe.run()")["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in violations] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_slider_changes_the_clip_its_name_and_its_transcript(open_page):
    pictures = [Image.new("RGB", (300, 100), (shade, 0, 0)) for shade in (0, 99)]
    figure = Frames(pictures, [1, 2], "A card.", "tone", sounds=two_sounds())
    page = open_page(figure.to_html())
    audio = page.locator("audio")
    assert audio.get_attribute("aria-label") == "Tone 1"
    assert audio.evaluate(LOAD) == pytest.approx(0.5, abs=0.12)
    page.locator("input").focus()
    page.keyboard.press("ArrowRight")
    assert audio.get_attribute("aria-label") == "Tone 2"
    assert "A steady tone, number 2." in page.locator("main").inner_text()
    assert audio.evaluate(LOAD) == pytest.approx(1.0, abs=0.12)
    page.keyboard.press("ArrowLeft")
    assert audio.evaluate(LOAD) == pytest.approx(0.5, abs=0.12)
