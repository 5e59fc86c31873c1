"""Captions are true of their scenes, and parse to their descriptions."""

from itertools import permutations
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genai_tutorial.tasks.shapes import (
    Colour,
    Description,
    ObjectDescription,
    Place,
    Scene,
    SceneObject,
    Shape,
    Size,
    SpatialRelation,
    all_captions,
    caption,
    caption_words,
    class_captions,
    describe,
    full_captions,
    load_shapes,
    parse_caption,
    place,
    relation,
)

SHAPES = load_shapes(400, seed=1)

things = st.tuples(
    st.sampled_from(get_args(Shape)),
    st.none() | st.sampled_from(get_args(Colour)),
    st.none() | st.sampled_from(get_args(Size)),
)
relations = st.lists(st.sampled_from(get_args(SpatialRelation)), min_size=2, max_size=2)


@given(
    st.lists(things, min_size=1, max_size=3),
    st.booleans(),
    relations,
    st.sampled_from(get_args(Place)),
)
def test_parse_caption_inverts_text(parts, tells_more, related, where):
    objects = tuple(ObjectDescription(*part) for part in parts)
    if not tells_more:
        description = Description(objects)
    elif len(objects) == 1:
        description = Description(objects, place=where)
    else:
        description = Description(objects, tuple(related[: len(objects) - 1]))
    assert parse_caption(description.text()) == description
    shouted = "  " + description.text().upper().replace(" ", "   ")
    assert parse_caption(shouted) == description
    assert set(description.text().split()) <= set(caption_words())


def test_caption_words_all_occur():
    used = {
        word
        for captions in map(all_captions, SHAPES.scenes)
        for text in captions
        for word in text.split()
    }
    assert used == set(caption_words())


@pytest.mark.slow
def test_all_captions_are_true():
    for scene in SHAPES.scenes:
        for text in all_captions(scene):
            description = parse_caption(text)
            assert len(description.objects) == len(scene.objects)
            assert _true(description, scene)
        assert caption(scene) == full_captions(scene)[0]


def _true(description: Description, scene: Scene) -> bool:
    """Whether some assignment of the scene's objects to the caption's makes all that it
    says true.
    """
    return any(
        all(
            wanted.shape == thing.shape
            and wanted.colour in (None, thing.colour)
            and wanted.size in (None, thing.size)
            for wanted, thing in zip(description.objects, chosen, strict=True)
        )
        and all(
            relation(chosen[0], other) == how
            for how, other in zip(description.relations, chosen[1:], strict=False)
        )
        and description.place in (None, place(chosen[0]))
        for chosen in permutations(scene.objects)
    )


def test_all_captions_count():
    # Sizes or not, times relation (or place) or not, times orders: 1, 2 and 2.
    for scene in SHAPES.scenes:
        different = {repr(describe(Scene((thing,))).objects) for thing in scene.objects}
        if len(different) == len(scene.objects):
            counts = {1: 4, 2: 8, 3: 8}
            assert len(all_captions(scene)) <= counts[len(scene.objects)]
            assert len(full_captions(scene)) == min(2, len(scene.objects))
    small, large = (
        SceneObject("red", "circle", 5, 1, 8),
        SceneObject("blue", "square", 8, 16, 14),
    )
    assert all_captions(Scene((small, large))) == (
        "a small red circle above a large blue square",
        "a small red circle and a large blue square",
        "a red circle above a blue square",
        "a red circle and a blue square",
        "a large blue square below a small red circle",
        "a large blue square and a small red circle",
        "a blue square below a red circle",
        "a blue square and a red circle",
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected 'a', 'an', got the end"),
        ("red circle", "expected 'a', 'an', got 'red'"),
        (
            "a pink circle",
            "'purple', 'circle', 'square', 'triangle', 'cross' after 'a', got 'pink'",
        ),
        (
            "a red large circle",
            "'circle', 'square', 'triangle', 'cross' after 'a red', got 'large'",
        ),
        ("a circle on a square", "'right of' after 'a circle', got 'on'"),
        ("a circle above", "expected 'a', 'an' after 'a circle above', got the end"),
        (
            "a circle above a square and a cross",
            "'right of' after 'a circle above a square and', got 'a'",
        ),
        (
            "a circle and a square above a cross",
            "expected 'and' after 'a circle and a square', got 'above'",
        ),
        (
            "a circle on the left and a square",
            "expected the end .* after 'a circle on the left', got 'and'",
        ),
        (
            "a circle and a cross and a cross and a cross",
            "expected the end .*, got 'and'",
        ),
    ],
)
def test_parse_caption_refuses_other_sentences(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_caption(text)


@pytest.mark.parametrize("count", [0, 4])
def test_describe_refuses_other_numbers_of_objects(count):
    with pytest.raises(ValueError, match=f"one to three objects, got {count}"):
        describe(Scene((SceneObject("red", "circle", 1, 1, 7),) * count))


def test_varied_captions_depend_on_the_generator():
    first, again, other = (
        SHAPES.varied_captions(torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert first == again != other
    full = 0
    for text, scene in zip(first, SHAPES.scenes, strict=True):
        assert text in all_captions(scene)
        full += text == caption(scene)
    # Half of them, and an eighth to a quarter of the other half.
    assert 0.5 < full / len(SHAPES) < 0.7


def test_class_captions_describe_their_class_in_every_size_and_place():
    classes = class_captions()
    assert len(classes) == 24
    for (colour, shape), captions in classes.items():
        described = [parse_caption(text) for text in captions]
        assert len(set(captions)) == 10
        assert {one.objects[0].colour for one in described} == {colour}
        assert {one.objects[0].shape for one in described} == {shape}
        assert len({(one.objects[0].size, one.place) for one in described}) == 10
