"""The drawings in the package are those that `book/schematics` makes."""

import io
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest
from PIL import Image

from book.schematics.drawings import DRAWINGS
from book.schematics.kit import WIDTH, Schematic, text_width

FOLDER = Path(__file__).resolve().parents[2] / "genai_tutorial/notebook/schematics"
SVG = "{http://www.w3.org/2000/svg}"
drawings = pytest.mark.parametrize("draw", DRAWINGS, ids=lambda draw: draw.__name__)


@drawings
def test_drawing_in_the_package_is_fresh(draw):
    drawing = draw()
    stored = (FOLDER / f"{drawing.name}.svg").read_text("utf8")
    assert stored == drawing.svg(), "run: python -m book.schematics"
    picture = Image.open(io.BytesIO((FOLDER / f"{drawing.name}.png").read_bytes()))
    assert picture.mode == "P"
    assert picture.height / picture.width == pytest.approx(
        drawing.height / WIDTH, abs=0.01
    )


@drawings
def test_drawing_is_described_and_its_texts_are_inside(draw):
    drawing = draw()
    assert 20 <= len(drawing.alt) <= 250
    for text in xml.fromstring(drawing.svg()).iter(f"{SVG}text"):
        x, width = float(text.get("x")), float(text.get("textLength"))
        start = {"L": x, "R": x - width}.get(
            text.get("class").split(" ")[-1], x - width / 2
        )
        assert start >= 0, f"{text.text} begins left of the drawing"
        assert start + width <= WIDTH, f"{text.text} ends right of the drawing"
        assert 8 <= float(text.get("y")) <= drawing.height - 3


def test_folder_has_no_other_drawings():
    names = {draw().name for draw in DRAWINGS}
    assert {path.stem for path in FOLDER.iterdir()} == names
    assert len(names) == len(DRAWINGS)


def test_subscripts_are_small_and_take_less_room():
    drawing = Schematic("x", 100, "A letter", "A letter with an index.")
    drawing.text("x_{10}", 50, 50)
    assert '<tspan dy="3" font-size="75%">10</tspan></text>' in drawing.svg()
    assert text_width("x") < text_width("x_{10}") < text_width("x10")
