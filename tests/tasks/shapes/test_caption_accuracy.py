"""Accuracy of pictures by the verifier, and attribute binding."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from genai_tutorial.tasks.shapes import (
    HELD_OUT_PAIRS,
    HELD_OUT_RELATIONS,
    ColourBinding,
    EditAccuracy,
    Scene,
    SceneObject,
    attention_binding,
    caption_accuracy,
    caption_quiz,
    caption_scores,
    colour_binding,
    describe,
    edit_accuracy,
    load_shapes,
    parse_caption,
    render,
    unlike_pairs,
)

DISC = SceneObject("red", "circle", 4, 4, 12)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (DISC, EditAccuracy(0.0, 1.0)),
        (replace(DISC, colour="blue"), EditAccuracy(1.0, 1.0)),
        (replace(DISC, colour="blue", left=7), EditAccuracy(1.0, 1.0)),
        (replace(DISC, colour="blue", left=8), EditAccuracy(1.0, 0.0)),
        (replace(DISC, colour="green", top=18), EditAccuracy(0.0, 0.0)),
    ],
)
def test_edit_accuracy_of_a_known_edit(after, expected):
    assert edit_accuracy([DISC], ["blue"], render([Scene((after,))])) == expected


def test_edit_accuracy_counts_an_empty_picture_as_wrong():
    images = render([Scene((replace(DISC, colour="blue"),)), Scene(())])
    found = edit_accuracy([DISC, DISC], ["blue", "blue"], images)
    assert found == EditAccuracy(0.5, 0.5)


def test_edit_accuracy_refuses_another_number_of_pictures():
    with pytest.raises(ValueError, match="got 1 pictures and 1 shapes and 0 colours"):
        edit_accuracy([DISC], [], render([Scene((DISC,))]))


RED, BLUE = (
    SceneObject("red", "circle", 2, 2, 12),
    SceneObject("blue", "square", 18, 18, 12),
)
PICTURE = render([Scene((RED, BLUE))])


def test_unlike_pairs_differ_in_colour_and_shape():
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
    assert colour_binding([parse_caption(caption)], PICTURE) == expected


def test_colour_binding_leaves_out_shapes_that_appear_twice():
    """With two circles, it would be open which of them is meant."""
    twice = render([Scene((RED, SceneObject("blue", "circle", 18, 18, 12)))])
    caption = parse_caption("a red circle and a blue square")
    assert colour_binding([caption], twice).shapes == 0


def test_colour_binding_refuses_another_number_of_pictures():
    with pytest.raises(ValueError, match="got 1 pictures and 0 descriptions"):
        colour_binding([], PICTURE)


def test_attention_binding_compares_a_map_at_the_two_objects():
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
    scenes = load_shapes(40, seed=4, objects=(2,)).scenes
    descriptions = [describe(scene) for scene in scenes]
    binding = colour_binding(descriptions, render(scenes))
    assert binding.own == binding.shapes > 40


SHAPES = load_shapes(300, seed=3, objects=(2,))
RESPECTS = ("colour", "shape", "size", "relation")
QUIZZES = {respect: caption_quiz(SHAPES, respect, 30) for respect in RESPECTS}


@pytest.mark.parametrize("respect", RESPECTS)
def test_caption_quiz_true_captions_are_true_and_false_ones_are_not(respect):
    quiz = QUIZZES[respect]
    assert len(quiz.images) == len(quiz.true_captions) == len(quiz.false_captions) == 30
    for captions, everything in ((quiz.true_captions, 1), (quiz.false_captions, 0)):
        assert caption_accuracy(captions, quiz.images).everything == everything


@pytest.mark.parametrize("respect", ["colour", "shape", "size"])
def test_caption_quiz_exchanges_one_attribute_between_the_objects(respect):
    quiz = QUIZZES[respect]
    for true, false in zip(quiz.true_captions, quiz.false_captions, strict=True):
        true, false = parse_caption(true), parse_caption(false)
        assert true.relations == false.relations
        values = [[getattr(o, respect) for o in d.objects] for d in (true, false)]
        assert values[0] == values[1][::-1]
        for attribute in {"colour", "shape", "size"} - {respect}:
            assert [getattr(o, attribute) for o in true.objects] == [
                getattr(o, attribute) for o in false.objects
            ]


def test_caption_quiz_relation_has_the_same_words_for_the_objects():
    quiz = QUIZZES["relation"]
    for true, false in zip(quiz.true_captions, quiz.false_captions, strict=True):
        true, false = parse_caption(true), parse_caption(false)
        assert true.objects == false.objects
        assert true.relations != false.relations


@pytest.mark.parametrize("respect", RESPECTS)
def test_caption_quiz_false_captions_have_nothing_held_out(respect):
    for false in map(parse_caption, QUIZZES[respect].false_captions):
        first, second = false.objects
        assert (first.shape, false.relations[0], second.shape) not in HELD_OUT_RELATIONS
        for described in (first, second):
            assert (described.colour, described.shape) not in HELD_OUT_PAIRS


def test_caption_quiz_takes_the_first_fair_pictures():
    shorter = caption_quiz(SHAPES, "colour", 5)
    assert shorter.true_captions == QUIZZES["colour"].true_captions[:5]
    assert not Counter(shorter.true_captions) - Counter(SHAPES.captions)


def test_caption_quiz_refuses_other_respects_and_other_object_counts(unchecked):
    with pytest.raises(ValueError, match="respect must be one of 'colour'"):
        caption_quiz(SHAPES, "place", 5)
    with pytest.raises(ValueError, match="two objects, got 1 in picture 0"):
        caption_quiz(load_shapes(3, seed=0, objects=(1,)), "colour", 5)


def test_caption_quiz_judge_compares_scores_of_the_two_captions():
    """The verifier as a scorer prefers every true caption; a constant scorer none."""
    quiz = QUIZZES["relation"]

    def by_verifier(images, captions):
        scores = caption_scores(captions, images)
        return torch.tensor([score.everything for score in scores])

    assert quiz.judge(by_verifier).all()
    assert not quiz.judge(lambda images, captions: torch.zeros(len(images))).any()
