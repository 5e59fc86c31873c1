import base64
import io

import numpy as np
import pytest
import torch
from matplotlib import pyplot
from PIL import Image

from genai_tutorial.notebook import image_grid, show, use_style
from genai_tutorial.notebook.pictures import as_picture, png
from tests.notebook.shown import displayed


@pytest.fixture(autouse=True)
def _style():
    with pyplot.rc_context():
        use_style()
        yield
    pyplot.close("all")


def a_figure():
    figure, axes = pyplot.subplots()
    axes.plot([0, 1, 4, 9])
    return figure


def opened(content: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_figure_is_shown_once_with_its_text_in_few_colours():
    ((data, metadata),) = displayed(
        lambda: show(a_figure(), alt="A curve that\n  rises.")
    )
    assert metadata == {"image/png": {"alt": "A curve that rises."}}
    assert data["text/plain"] == "[Figure: A curve that rises.]"
    picture = opened(data["image/png"])
    assert picture.size == (640, 360)
    assert picture.mode == "P"
    assert len(picture.getcolors()) <= 64
    # or the notebook shows it again at the end of the cell
    assert pyplot.get_fignums() == []


def test_same_figure_is_the_same_bytes():
    assert png(as_picture(a_figure())) == png(as_picture(a_figure()))


def test_background_stays_white_and_lines_keep_their_colour():
    picture = Image.open(io.BytesIO(png(as_picture(a_figure())))).convert("RGB")
    assert picture.getpixel((2, 2)) == (255, 255, 255)
    blue = np.array([0, 0x72, 0xB2])
    nearest = (
        np.abs(np.asarray(picture).reshape(-1, 3).astype(int) - blue).max(axis=1).min()
    )
    assert nearest <= 8


def test_transparent_picture_is_put_on_white():
    assert as_picture(Image.new("RGBA", (4, 4), (0, 0, 0, 0))).getpixel((0, 0)) == (
        255,
        255,
        255,
    )


def test_picture_of_few_colours_keeps_them_exactly():
    picture = Image.new("RGB", (8, 8), "white")
    for x in range(8):
        picture.putpixel((x, x), (x * 30, 10, 200 - x))
    assert (
        Image.open(io.BytesIO(png(picture))).convert("RGB").tobytes()
        == picture.tobytes()
    )


@pytest.mark.parametrize(
    ("alt", "message"), [("  ", "alt is empty"), ("words " * 50, "250 characters")]
)
def test_text_that_says_nothing_or_too_much_is_refused(alt: str, message: str):
    with pytest.raises(ValueError, match=message):
        show(a_figure(), alt=alt)


def test_only_figures_are_shown():
    with pytest.raises(
        TypeError, match="Expected a matplotlib Figure or a Pillow image, got list"
    ):
        show([1, 2], alt="A list of two numbers.")


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_images_stand_in_rows_from_the_top_left(kind):
    pixels = np.zeros((5, 8, 8), dtype=np.float32)
    pixels[3] = 1  # alone white: the first of the second row
    picture = as_picture(image_grid(kind(pixels), columns=3, width=3.0))
    assert picture.width == 300
    column, row = 100, picture.height // 2
    shades = {
        (c, r): picture.getpixel((10 + c * column + column // 2, r * row + row // 2))
        for r in (0, 1)
        for c in range(3)
    }
    assert shades[0, 1] == (255, 255, 255)
    assert shades[2, 1] == (255, 255, 255)  # there is no sixth image: the card
    assert {shades[c, 0] for c in range(3)} | {shades[1, 1]} == {(0, 0, 0)}


def test_values_beyond_one_are_cut_and_colours_kept():
    pixels = np.zeros((1, 4, 4, 3))
    pixels[..., 0] = 7.0
    picture = as_picture(image_grid(pixels, width=1.0))
    assert picture.getpixel((55, picture.height // 2)) == (255, 0, 0)


def test_each_image_has_the_proportions_of_its_pixels():
    picture = as_picture(image_grid(np.zeros((1, 10, 20)), width=2.1))
    dark = np.asarray(picture.convert("L")) < 128
    height, width = dark.any(axis=1).sum(), dark.any(axis=0).sum()
    assert width / height == pytest.approx(2, rel=0.1)


def test_labels_take_their_place():
    plain = as_picture(image_grid(np.ones((4, 8, 8)), columns=2))
    texts = {
        "labels": list("HHHH"),
        "row_labels": ["one", "two"],
        "label_colors": ["red"] * 4,
        "title": "Images",
    }
    labelled = as_picture(image_grid(np.ones((4, 8, 8)), columns=2, **texts))
    assert plain.getcolors() == [(plain.width * plain.height, (255, 255, 255))]
    # The letters are anti-aliased: they come close to red.
    assert any(
        red > 220 and green < 100 for _, (red, green, _) in labelled.getcolors(10_000)
    )
    assert labelled.height > plain.height * (labelled.width - 100) / plain.width


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((4, 8)), {}, "images must be"),
        (np.zeros((0, 8, 8)), {}, "images must be"),
        (np.zeros((2, 8, 8, 4)), {}, "images must be"),
        (np.zeros((4, 8, 8)), {"labels": ["a"]}, "labels must have 4 texts, got 1"),
        (
            np.zeros((4, 8, 8)),
            {"columns": 2, "row_labels": ["a"]},
            "row_labels must have 2 texts, got 1",
        ),
        (
            np.zeros((1, 8, 8)),
            {"label_colors": ["red"]},
            "label_colors must have 0 colours, got 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused(images: np.ndarray, options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        image_grid(images, **options)
