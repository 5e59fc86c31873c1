import base64
import io
import re

import pytest
from PIL import Image

from genai_tutorial.notebook import Frames, Play
from genai_tutorial.notebook import frames as frames_module
from genai_tutorial.notebook.frames import WIDGET_VIEW


def shades(*values: int) -> list[Image.Image]:
    return [Image.new("RGB", (40, 20), (value, 0, 0)) for value in values]


class Counter:
    """A game whose picture gets lighter each time a button is pressed."""

    def __init__(self) -> None:
        self.presses: list[str] = []

    def press(self, label: str) -> tuple[Image.Image, str]:
        self.presses.append(label)
        (picture,) = shades(50 * len(self.presses))
        return picture, f"Pressed <{label}>"


def counting() -> tuple[Play, Counter]:
    recorded = Frames(shades(0, 60), ["a", "b"], "A red square.", "step")
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
    picture = Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")
    assert picture.getpixel((0, 0)) == (100, 0, 0)


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
