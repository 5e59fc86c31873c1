import base64
import io
import itertools

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot
from PIL import Image

from genai_tutorial.notebook import COLORS, image_grid, show
from genai_tutorial.notebook.figures import as_picture, png, use_style
from tests.notebook.shown import displayed


@pytest.fixture(autouse=True)
def _style():
    with pyplot.rc_context():
        use_style()
        yield
    pyplot.close("all")


def make_figure():
    figure, axes = pyplot.subplots()
    axes.plot([0, 1, 4, 9])
    return figure


def decode_image(content: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_show_displays_figure_once_with_alt_text_and_palette():
    ((data, metadata),) = displayed(
        lambda: show(make_figure(), alt="A curve that\n  rises.")
    )
    assert metadata == {"image/png": {"alt": "A curve that rises.", "width": 640}}
    assert data["text/plain"] == "[Figure: A curve that rises.]"
    picture = decode_image(data["image/png"])
    assert picture.size == (1280, 720)  # sharp on dense screens and projectors
    assert picture.mode == "P"
    assert len(picture.getcolors()) <= 64
    # otherwise the notebook shows it again at the end of the cell
    assert pyplot.get_fignums() == []


def test_show_leaves_images_as_they_are():
    ((data, metadata),) = displayed(
        lambda: show(Image.new("RGB", (30, 20)), alt="A black image.")
    )
    assert metadata["image/png"]["width"] == 30
    assert decode_image(data["image/png"]).size == (30, 20)


def test_show_is_deterministic():
    assert png(as_picture(make_figure())) == png(as_picture(make_figure()))


def test_palette_keeps_white_background_and_line_colours():
    picture = Image.open(io.BytesIO(png(as_picture(make_figure())))).convert("RGB")
    assert picture.getpixel((2, 2)) == (255, 255, 255)
    blue = np.array([0, 0x72, 0xB2])
    pixels = np.asarray(picture).reshape(-1, 3).astype(int)
    assert np.abs(pixels - blue).max(axis=1).min() <= 8


def test_transparent_image_gets_white_background():
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert as_picture(clear).getpixel((0, 0)) == (255, 255, 255)


def test_palette_is_exact_for_images_with_few_colours():
    picture = Image.new("RGB", (8, 8), "white")
    for x in range(8):
        picture.putpixel((x, x), (x * 30, 10, 200 - x))
    shown = Image.open(io.BytesIO(png(picture))).convert("RGB")
    assert shown.tobytes() == picture.tobytes()


@pytest.mark.parametrize(
    ("alt", "message"), [("  ", "alt is empty"), ("words " * 50, "250 characters")]
)
def test_show_rejects_alt_text_of_bad_length(alt: str, message: str):
    with pytest.raises(ValueError, match=message):
        show(make_figure(), alt=alt)


def test_show_rejects_other_objects():
    with pytest.raises(
        TypeError, match="Expected a matplotlib Figure or a Pillow image, got list"
    ):
        show([1, 2], alt="A list of two numbers.")


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_image_grid_fills_rows_from_top_left(kind):
    pixels = np.zeros((5, 8, 8), dtype=np.float32)
    pixels[3] = 1  # the only white image, first in the second row
    picture = as_picture(image_grid(kind(pixels), columns=3, width=3.0))
    assert picture.width == 300
    column, row = 100, picture.height // 2
    shades = {
        (c, r): picture.getpixel((10 + c * column + column // 2, r * row + row // 2))
        for r in (0, 1)
        for c in range(3)
    }
    assert shades[0, 1] == (255, 255, 255)
    # there is no sixth image, only the background
    assert shades[2, 1] == (255, 255, 255)
    assert {shades[c, 0] for c in range(3)} | {shades[1, 1]} == {(0, 0, 0)}


def test_image_grid_clips_values_and_keeps_colours():
    pixels = np.zeros((1, 4, 4, 3))
    pixels[..., 0] = 7.0
    picture = as_picture(image_grid(pixels, width=1.0))
    assert picture.getpixel((55, picture.height // 2)) == (255, 0, 0)


def test_image_grid_keeps_aspect_ratio():
    picture = as_picture(image_grid(np.zeros((1, 10, 20)), width=2.1))
    dark = np.asarray(picture.convert("L")) < 128
    height, width = dark.any(axis=1).sum(), dark.any(axis=0).sum()
    assert width / height == pytest.approx(2, rel=0.1)


def test_image_grid_draws_labels():
    plain = as_picture(image_grid(np.ones((4, 8, 8)), columns=2))
    texts = {"labels": list("HHHH"), "row_labels": ["one", "two"]}
    labelled = as_picture(image_grid(np.ones((4, 8, 8)), columns=2, **texts))
    assert plain.getcolors() == [(plain.width * plain.height, (255, 255, 255))]
    assert len(labelled.getcolors(10_000)) > 1
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
    ],
)
def test_image_grid_rejects_invalid_arguments(
    images: np.ndarray, options: dict, message: str
):
    with pytest.raises(ValueError, match=message):
        image_grid(images, **options)


# Colour vision without red, green or blue cones, simulated as by Machado, Oliveira and
# Fernandes (2009), severity 1.
EYES = {
    "usual": np.eye(3),
    "protanopia": [
        [0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520],
    ],
    "deuteranopia": [
        [0.3673, 0.8607, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689],
    ],
    "tritanopia": [
        [1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039],
    ],
}  # fmt: skip


def linear(color: str) -> np.ndarray:
    channels = np.array(matplotlib.colors.to_rgb(color))
    return np.where(
        channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
    )


def lab(light: np.ndarray) -> np.ndarray:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(light, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", EYES)
def test_palette_colours_are_distinguishable(eyes: str):
    # A difference of 2 is just visible side by side; 15 is seen across a figure.
    for one, other in itertools.combinations(COLORS, 2):
        difference = np.linalg.norm(
            lab(EYES[eyes] @ linear(one)) - lab(EYES[eyes] @ linear(other))
        )
        assert difference > 15, f"{one} and {other} look alike with {eyes}"


def test_palette_first_five_contrast_with_white():
    for color in COLORS[:5]:
        luminance = linear(color) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 3, color


def test_style_sets_opaque_background_and_colour_cycle():
    with matplotlib.rc_context():
        use_style()
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
        assert cycle == list(COLORS)
        ground = matplotlib.colors.to_rgba(matplotlib.rcParams["savefig.facecolor"])
        assert ground == (1, 1, 1, 1)
