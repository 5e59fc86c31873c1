import base64
import io
import json
import re

import pytest
import torch
from PIL import Image

from genai_tutorial.notebook import Frames, Play, Sound
from genai_tutorial.notebook import frames as frames_module
from genai_tutorial.notebook.frames import WIDGET_VIEW

SHADES = [0, 60, 120, 180]


def pictures(*shades: int) -> list[Image.Image]:
    return [Image.new("RGB", (40, 20), (shade, 0, 0)) for shade in shades or SHADES]


def one_slider(**more: object) -> Frames:
    return Frames(pictures(), ["a", "b", "c", "d"], "A red square.", "shade", **more)


def two_sliders(**more: object) -> Frames:
    sliders = {"x": [1, 2], "y": [0.5, 1.0]}
    return Frames.grid(pictures(), sliders, "A red square.", **more)


def embedded(html: str) -> dict:
    return json.loads(
        re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1]
    )


def shade(content: str) -> int:
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    return picture.convert("RGB").getpixel((0, 0))[0]


def test_frames_page_contains_every_frame_and_alt_text():
    html = one_slider().to_html()
    data = embedded(html)
    assert data["sliders"] == [{"name": "shade", "labels": ["a", "b", "c", "d"]}]
    assert data["alts"] == [f"A red square (shade {label})." for label in "abcd"]
    first = re.search(
        r'<img src="data:image/png;base64,([^"]+)" alt="A red square \(shade a\)\."',
        html,
    )[1]
    assert [shade(content) for content in (first, *data["frames"])] == SHADES


def test_frames_last_slider_varies_fastest():
    data = embedded(two_sliders().to_html())
    assert data["sliders"] == [
        {"name": "x", "labels": ["1", "2"]},
        {"name": "y", "labels": ["0.5", "1.0"]},
    ]
    assert data["alts"][1:3] == [
        "A red square (x 1, y 1.0).",
        "A red square (x 2, y 0.5).",
    ]


def test_frames_page_is_deterministic():
    assert one_slider().to_html() == one_slider().to_html()


def test_frames_page_loads_nothing_from_other_hosts():
    html = re.sub(r"[A-Za-z0-9+/=]{100,}", "", two_sliders().to_html())
    assert re.findall(r"https?:|//\w|@import|url\(", html) == []


def test_frames_captions_are_escaped():
    captions = ["</pre><b>\nline", "</script><b>", "c", "d"]
    html = one_slider(captions=captions).to_html()
    assert embedded(html)["captions"] == captions
    assert '<pre class="genai-frames-note">&lt;/pre&gt;&lt;b&gt;\nline</pre>' in html
    assert html.count("</script>") == 2


def test_frames_labels_cannot_close_script_element():
    frames = Frames(pictures(), ["</script>", "<!--", "c", "d"], "A red square.", "<b>")
    html = frames.to_html()
    assert embedded(html)["sliders"][0]["labels"][:2] == ["</script>", "<!--"]
    assert html.count("</script>") == 2


def test_frames_accept_alt_text_per_frame():
    frames = Frames(
        pictures(), list("abcd"), ["Black.", "Dark red.", "Red.", "Light red."], "shade"
    )
    assert embedded(frames.to_html())["alts"][1] == "Dark red (shade b)."


def test_frames_stored_output_has_html_image_and_text_but_no_widget():
    data, metadata = one_slider()._repr_mimebundle_()
    assert data.keys() == {"text/html", "image/png", "text/plain"}
    assert (
        data["text/plain"]
        == "[Interactive figure: A red square. Sliders: shade: a, b, c, d]"
    )
    assert metadata == {
        "image/png": {"alt": "A red square (shade a)."},
        "genai_tutorial": {"frames": 4},
    }


def test_frames_live_kernel_displays_widget(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frames_module, "_has_live_kernel", lambda: True)
    frames = one_slider()
    data, _ = frames._repr_mimebundle_()
    assert data[WIDGET_VIEW]["model_id"] == frames._live.model_id


def test_frames_widget_shows_selected_frame():
    frames = two_sliders(captions=["p", "q", "r", "<s>"])
    view, x, y = frames.widget().children
    assert "A red square (x 1, y 0.5)." in view.value
    x.value, y.value = "2", "1.0"
    assert "A red square (x 2, y 1.0)." in view.value
    assert "&lt;s&gt;" in view.value
    assert shade(re.search(r"base64,([^\"]+)", view.value)[1]) == SHADES[3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "b"]}, "need 2 frames, got 4"),
        ({"labels": ["a", "b", "c", "a"]}, "must differ"),
        ({"labels": [1, "1", 2, 3]}, "must differ"),
        ({"captions": ["a"]}, "need 4 captions, got 1"),
        ({"alt": ["one", "two"]}, "need 4 alternative texts, got 2"),
        ({"alt": ""}, "alt is empty"),
        ({"frames": pictures(0), "labels": ["a"]}, "at least 2 frames"),
        ({"frames": [*pictures()[:3], Image.new("RGB", (50, 20))]}, "one size"),
    ],
)
def test_frames_reject_invalid_arguments(change: dict, message: str):
    usual = {"frames": pictures(), "labels": list("abcd"), "alt": "A.", "name": "shade"}
    with pytest.raises(ValueError, match=message):
        Frames(**(usual | change))


def test_frames_play_a_sound_per_frame_and_store_each_once():
    cards = pictures(0, 99)
    tone = torch.sin(torch.arange(2000) / 5) / 2
    clips = [Sound(tone * loud, 16_000, f"{loud}", "A tone.") for loud in (0.5, 1.0)]
    figure = Frames(cards, [1, 2], "A card.", "loudness", sounds=clips)
    html = figure.to_html()
    assert html.count("<audio") == 1
    assert [html.count(clip.source) for clip in clips] == [1, 1]
    assert 'aria-label="0.5"' in html
    with pytest.raises(ValueError, match="need 2 sounds, got 1"):
        Frames(cards, [1, 2], "A card.", "loudness", sounds=clips[:1])


class Counter:
    """A game whose picture gets lighter each time a button is pressed."""

    def __init__(self) -> None:
        self.presses: list[str] = []

    def press(self, label: str) -> tuple[Image.Image, str]:
        self.presses.append(label)
        (picture,) = pictures(50 * len(self.presses))
        return picture, f"Pressed <{label}>"


def counting() -> tuple[Play, Counter]:
    recorded = Frames(pictures(0, 60), ["a", "b"], "A red square.", "step")
    game = Counter()
    return Play(recorded, ["start", "more"], game.press), game


def test_play_page_shows_recorded_frames_and_calls_no_game():
    play, game = counting()
    data, metadata = play._repr_mimebundle_()
    assert data == play.recorded._repr_mimebundle_()[0]
    assert metadata["genai_tutorial"] == {"frames": 2}
    assert game.presses == []


def test_play_widget_presses_first_button_and_then_those_of_the_reader():
    play, game = counting()
    view, row = play.widget().children
    assert game.presses == ["start"]
    row.children[1].click()
    assert game.presses == ["start", "more"]
    assert view.value.count("Pressed &lt;more&gt;") == 2  # read out, and shown
    (content,) = re.findall(r'base64,([^"]+)', view.value)
    assert shade(content) == 100


def test_play_live_kernel_displays_buttons(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frames_module, "_has_live_kernel", lambda: True)
    play, _ = counting()
    data, _ = play._repr_mimebundle_()
    assert data[WIDGET_VIEW]["model_id"] == play._live.model_id


@pytest.mark.parametrize("buttons", [[], ["a", "a"]])
def test_play_bad_buttons_raise(buttons: list[str]):
    play, game = counting()
    with pytest.raises(ValueError, match="different labels"):
        Play(play.recorded, buttons, game.press)
