"""A quiz of true and false captions: the verifier agrees with both, and a false one is
wrong in one respect only.
"""

from collections import Counter

import pytest
import torch

from genai_tutorial.tasks.shapes import (
    HELD_OUT_PAIRS,
    HELD_OUT_RELATIONS,
    caption_quiz,
    load_shapes,
    parse_caption,
    read_scenes,
)
from genai_tutorial.tasks.shapes.caption_accuracy import caption_score

SHAPES = load_shapes(300, seed=3, objects=(2,))
RESPECTS = ("colour", "shape", "size", "relation")
QUIZZES = {respect: caption_quiz(SHAPES, respect, 30) for respect in RESPECTS}


@pytest.mark.parametrize("respect", RESPECTS)
def test_caption_quiz_true_captions_are_true_and_false_ones_are_not(respect):
    quiz = QUIZZES[respect]
    assert len(quiz.images) == len(quiz.true_captions) == len(quiz.false_captions) == 30
    readings = read_scenes(quiz.images)
    for reading, true, false in zip(
        readings, quiz.true_captions, quiz.false_captions, strict=True
    ):
        assert caption_score(parse_caption(true), reading).everything == 1
        assert caption_score(parse_caption(false), reading).everything == 0


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
        readings = zip(captions, read_scenes(images), strict=True)
        return torch.tensor(
            [
                caption_score(parse_caption(text), one).everything
                for text, one in readings
            ]
        )

    assert quiz.judge(by_verifier).all()
    assert not quiz.judge(lambda images, captions: torch.zeros(len(images))).any()
