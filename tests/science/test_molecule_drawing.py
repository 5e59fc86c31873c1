"""Structural formulas as SVG."""

from xml.etree import ElementTree

import pytest

from genai_tutorial.science import draw_molecules

pytest.importorskip("rdkit")


def test_draw_molecules_is_a_repeatable_svg_of_the_grid():
    text = draw_molecules(["CCO", "c1ccccc1", "CCN"], columns=2, side=100)
    root = ElementTree.fromstring(text)
    assert (root.get("width"), root.get("height")) == ("200px", "200px")
    assert text == draw_molecules(["CCO", "c1ccccc1", "CCN"], columns=2, side=100)


def test_draw_molecules_rejects_what_it_cannot_draw():
    with pytest.raises(ValueError, match="at least one molecule"):
        draw_molecules([])
    with pytest.raises(ValueError, match="a caption for each of the 1 molecules"):
        draw_molecules(["C"], captions=["a", "b"])
    with pytest.raises(ValueError, match="is no molecule"):
        draw_molecules(["C1CC"])
