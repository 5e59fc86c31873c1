"""Entropy of places and sizes."""

import math

import pytest
import torch

from genai_tutorial.tasks.shapes import (
    Scene,
    SceneObject,
    layout_entropy,
    load_shapes,
    render,
)

LEFT, RIGHT = (
    render([Scene((SceneObject("red", "circle", left, 10, 12),))]) for left in (1, 19)
)


def test_layout_entropy_by_hand():
    """Three of four at the left: 0.811 bits; half and half: 1 bit; all alike: none."""
    assert layout_entropy(torch.cat([LEFT, LEFT])) == 0
    assert layout_entropy(torch.cat([LEFT, RIGHT])) == pytest.approx(1)
    expected = 0.75 * math.log2(4 / 3) + 0.25 * math.log2(4)
    assert layout_entropy(torch.cat([LEFT, LEFT, RIGHT, LEFT])) == pytest.approx(
        expected
    )


@pytest.mark.slow
def test_layout_entropy_of_random_scenes_is_near_its_largest_value():
    """Ten combinations of place and size, drawn evenly."""
    images = load_shapes(1000, seed=0, objects=(1,)).images
    assert layout_entropy(images) == pytest.approx(math.log2(10), abs=0.02)


def test_layout_entropy_ignores_pictures_of_two_objects_and_refuses_only_such():
    """Only drawings of a single object have a place."""
    two = load_shapes(3, seed=0, objects=(2,)).images
    assert layout_entropy(torch.cat([LEFT, two])) == 0
    with pytest.raises(ValueError, match="None of the 3 drawings"):
        layout_entropy(two)
