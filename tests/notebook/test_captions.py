import pytest
from PIL import Image

from genai_tutorial.notebook import Frames, schematic, show
from genai_tutorial.notebook.captions import captions, numbers
from tests.notebook.shown import displayed

IMAGE = Image.new("RGB", (80, 60), "white")
ALT = "A white rectangle without anything in it."
CAPTION = "Figure 8.4. Nothing is to be seen."


def frames() -> Frames:
    return Frames([IMAGE, IMAGE], ["low", "high"], alt=ALT, name="height")


@pytest.mark.parametrize(
    "figure", [lambda: show(IMAGE, alt=ALT, caption=CAPTION),
               lambda: show(frames(), caption=CAPTION),
               lambda: schematic("unet", caption=CAPTION)],
)  # fmt: skip
def test_caption_is_displayed_below_figure_as_markdown(figure):
    (data, _), (below, metadata) = displayed(figure)
    assert "image/png" in data
    assert below["text/markdown"] == f"*{CAPTION}*"
    assert metadata == {"genai_tutorial": {"caption": CAPTION}}


def test_figures_without_caption_are_displayed_alone():
    ((data, metadata),) = displayed(lambda: show(frames()))
    assert metadata["genai_tutorial"] == {"frames": 2}
    assert "text/html" in data


@pytest.mark.parametrize(
    ("caption", "message"),
    [
        ("Nothing is to be seen.", "begins with a number"),
        ("Figure 8. Nothing is to be seen.", "begins with a number"),
        (f"Figure 8.4. {'word ' * 21}", "21 words"),
        (f"Figure 8.4. {ALT}", "not what is there"),
    ],
)
def test_show_refuses_captions(caption, message):
    with pytest.raises(ValueError, match=message):
        show(IMAGE, alt=ALT, caption=caption)


def test_show_wants_alt_text_for_pictures_only():
    with pytest.raises(ValueError, match="alt is empty"):
        show(IMAGE)
    with pytest.raises(ValueError, match="leave out alt"):
        show(frames(), alt=ALT)


def test_schematic_is_svg_and_png_with_the_text_of_the_drawing():
    ((data, metadata),) = displayed(lambda: schematic("unet"))
    alt = metadata["image/png"]["alt"]
    assert metadata["genai_tutorial"] == {"schematic": "unet"}
    assert alt.startswith("A U of feature maps.")
    assert f">{alt}</desc>" in data["image/svg+xml"]
    with pytest.raises(FileNotFoundError):
        schematic("no such drawing")


def test_quotes_in_the_text_of_a_drawing_are_no_entities():
    ((_, metadata),) = displayed(lambda: schematic("gpt_in_one_file"))
    assert 'letter i in "wisdom"' in metadata["image/png"]["alt"]


def test_numbers_are_read_from_captions_and_tags():
    below = {"metadata": {"genai_tutorial": {"caption": CAPTION}}}
    cells = [
        {"cell_type": "markdown", "source": ["$$x \\tag{8.1}$$\n", "$$y \\tag{8.2}$$"]},
        {"cell_type": "code", "source": [], "outputs": [{"data": {}}, below]},
    ]
    assert captions({"cells": cells}) == [({"data": {}}, CAPTION)]
    assert numbers({"cells": cells}) == ["figure 8.4", "equation 8.1", "equation 8.2"]
