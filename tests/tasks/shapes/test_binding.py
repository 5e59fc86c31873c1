"""Attribute binding: colours of named shapes, and attention maps of their words."""

import pytest
import torch

from genai_tutorial.tasks.shapes import (
    ColourBinding,
    Scene,
    SceneObject,
    attention_binding,
    colour_binding,
    describe,
    load_shapes,
    parse_caption,
    render,
    unlike_pairs,
)

RED, BLUE = (
    SceneObject("red", "circle", 2, 2, 12),
    SceneObject("blue", "square", 18, 18, 12),
)
PICTURE = render([Scene((RED, BLUE))])


def test_unlike_pairs_differ_in_colour_and_shape():
    """Both attributes differ within each pair, and the seed decides the pairs."""
    pairs = unlike_pairs(50, seed=0)
    assert len(pairs) == 50
    for description in pairs:
        first, second = description.objects
        assert first.colour != second.colour
        assert first.shape != second.shape
    assert unlike_pairs(50, seed=0) == pairs != unlike_pairs(50, seed=1)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a red circle and a blue square", ColourBinding(2, own=2, swapped=0)),
        ("a blue circle and a red square", ColourBinding(2, own=0, swapped=2)),
        ("a green circle and a red square", ColourBinding(2, own=0, swapped=1)),
        ("a red circle and a green triangle", ColourBinding(1, own=1, swapped=0)),
    ],
)
def test_colour_binding_counts_own_and_swapped_colours(caption, expected):
    """A red circle and a blue square, judged by captions that fit and that do not."""
    assert colour_binding([parse_caption(caption)], PICTURE) == expected


def test_colour_binding_leaves_out_shapes_that_appear_twice():
    """With two circles, it would be open which of them is meant."""
    twice = render([Scene((RED, SceneObject("blue", "circle", 18, 18, 12)))])
    caption = parse_caption("a red circle and a blue square")
    assert colour_binding([caption], twice).shapes == 0


def test_colour_binding_refuses_another_number_of_pictures():
    """Each picture needs its description."""
    with pytest.raises(ValueError, match="got 1 pictures and 0 descriptions"):
        colour_binding([], PICTURE)


def test_attention_binding_compares_a_map_at_the_two_objects():
    """Maps that are bright at the circle bind its words and not those of the square."""
    description = describe(Scene((RED, BLUE)))
    at_circle = torch.zeros(1, len(description.text().split()), 8, 8)
    at_circle[..., :4, :4] = 1
    assert attention_binding(description, PICTURE, at_circle) == {
        "colour": [True, False],
        "shape": [True, False],
    }
    empty = attention_binding(description, torch.ones(1, 3, 32, 32), at_circle)
    assert empty == {"colour": [], "shape": []}


def test_colour_binding_is_perfect_for_real_scenes():
    """Drawn scenes have every named shape in its own colour."""
    scenes = load_shapes(40, seed=4, objects=(2,)).scenes
    descriptions = [describe(scene) for scene in scenes]
    binding = colour_binding(descriptions, render(scenes))
    assert binding.own == binding.shapes > 40
