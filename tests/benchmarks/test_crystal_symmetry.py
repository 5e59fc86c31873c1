import pytest
import torch

from benchmarks.crystal_symmetry import shaken, space_group
from genai_tutorial.data import load_crystals
from tests.science.crystals.test_crystals import SALT


def test_space_group_is_that_of_the_label_and_lost_by_noise():
    pytest.importorskip("spglib")
    assert space_group(SALT) == 221
    generator = torch.Generator().manual_seed(0)
    assert space_group(shaken(SALT, 0.5, generator)) < 221
    cells = load_crystals()[::5]
    labels = [int(cell.name.split("_")[2]) for cell in cells]
    agree = [
        space_group(cell) == label for cell, label in zip(cells, labels, strict=True)
    ]
    assert sum(agree) / len(agree) > 0.9
