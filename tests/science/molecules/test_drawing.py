"""Structural formulas as pictures."""

import numpy as np
import pytest

from genai_tutorial.science.molecules import draw_molecules

pytest.importorskip("rdkit")


def test_draw_molecules_fills_the_cells_of_the_grid_and_repeats():
    molecules = ["CCO", "c1ccccc1", "CCN"]
    picture = draw_molecules(molecules, columns=2, side=100)
    assert picture.size == (200, 200)
    dark = np.asarray(picture.convert("L")) < 128
    cells = [dark[y : y + 100, x : x + 100].any() for y in (0, 100) for x in (0, 100)]
    assert cells == [True, True, True, False]
    again = draw_molecules(molecules, columns=2, side=100)
    assert picture.tobytes() == again.tobytes()


def test_draw_molecules_rejects_what_it_cannot_draw():
    with pytest.raises(ValueError, match="at least one molecule"):
        draw_molecules([])
    with pytest.raises(ValueError, match="a caption for each of the 1 molecules"):
        draw_molecules(["C"], captions=["a", "b"])
    with pytest.raises(ValueError, match="is no molecule"):
        draw_molecules(["C1CC"])
