from collections import Counter

import pytest
import torch

from genai_tutorial.tasks.scene_questions import (
    CONVERSATION_MIXTURE,
    ONE_WORD_KINDS,
    QUESTION_TOKENIZER,
    SceneQuestion,
    attention_on_squares,
    blind_answers,
    captions_right,
    covered_squares,
    flipped_pairs,
    invented_objects,
    load_scene_questions,
    pack_conversations,
    polling_questions,
    question_accuracy,
    right_answers,
)
from genai_tutorial.tasks.scene_questions.questions import ask, near_misses
from genai_tutorial.tasks.shapes import (
    HELD_OUT_PAIRS,
    Scene,
    SceneObject,
    full_captions,
    parse_caption,
    random_scenes,
    relation,
    render,
)

RED_CIRCLE = SceneObject("red", "circle", 5, 1, 8)
BLUE_SQUARE = SceneObject("blue", "square", 8, 16, 14)
SCENE = Scene((RED_CIRCLE, BLUE_SQUARE))


@pytest.fixture(scope="module")
def training():
    return load_scene_questions(1000, seed=0, kinds=9)


@pytest.fixture(scope="module")
def unseen():
    return load_scene_questions(700, seed=1, kinds=9)


def asked_of(scene, kind, n=60):
    generator = torch.Generator().manual_seed(0)
    return {(q.text, q.answer) for q in (ask(scene, kind, generator) for _ in range(n))}


def test_every_question_about_a_scene_of_two_objects():
    expected = {
        "colour": {
            ("what colour is the circle ?", "red"),
            ("what colour is the square ?", "blue"),
            ("what colour is the triangle ?", "none"),
            ("what colour is the cross ?", "none"),
        },
        "shape": {
            ("what shape is the red thing ?", "circle"),
            ("what shape is the blue thing ?", "square"),
        },
        "size": {
            ("what size is the circle ?", "small"),
            ("what size is the square ?", "large"),
        },
        "count": {("how many shapes are there ?", "two")},
        "existence": {
            ("is there a red circle ?", "yes"),
            ("is there a blue square ?", "yes"),
            ("is there a red square ?", "no"),
            ("is there a blue circle ?", "no"),
        },
        "place": {
            ("where is the circle ?", "top"),
            ("where is the square ?", "bottom"),
        },
        "relation": {
            ("is the circle above the square ?", "yes"),
            ("is the circle below the square ?", "no"),
            ("is the square above the circle ?", "no"),
            ("is the square below the circle ?", "yes"),
        },
        "direction": {
            ("where is the circle relative to the square ?", "above"),
            ("where is the square relative to the circle ?", "below"),
        },
        "caption": {("describe :", "a small red circle above a large blue square")},
    }
    assert {kind: asked_of(SCENE, kind) for kind in CONVERSATION_MIXTURE} == expected


def test_what_occurs_twice_is_not_asked_for():
    twins = Scene((RED_CIRCLE, SceneObject("red", "circle", 8, 16, 14)))
    generator = torch.Generator().manual_seed(0)
    for kind in set(ONE_WORD_KINDS) - {"count"}:
        assert ask(twins, kind, generator) is None


def test_a_relation_that_training_lacks_is_not_asked_in_yes_or_no_questions():
    triangle = SceneObject("red", "triangle", 8, 16, 14)  # never above a circle
    scene = Scene((triangle, SceneObject("blue", "circle", 5, 1, 8)))
    generator = torch.Generator().manual_seed(0)
    assert all(ask(scene, "relation", generator) is None for _ in range(20))


def test_near_misses_never_name_a_pair_that_training_lacks():
    orange = SceneObject("orange", "circle", 5, 1, 8)
    scene = Scene((orange, SceneObject("blue", "triangle", 8, 16, 14)))
    texts = {text for text, _ in asked_of(scene, "existence")}
    assert "is there a blue circle ?" in texts
    assert "is there an orange triangle ?" not in texts


def test_words_alone_are_at_chance(training, unseen):
    known = training.one_by_one()[1]
    asked = unseen.one_by_one()[1]
    accuracy = question_accuracy(asked, blind_answers(known, asked))
    chances = {
        "colour": 1 / 6,
        "shape": (2 / 4 + 4 / 3) / 6,
        "size": 1 / 2,
        "count": 1 / 3,
        "existence": 1 / 2,
        "place": 1 / 4,
        "relation": 1 / 2,
        "direction": 1 / 3,
        "caption": 0,
    }
    assert set(accuracy) == set(CONVERSATION_MIXTURE)
    for kind, chance in chances.items():
        assert abs(accuracy[kind].mean - chance) < 0.09, kind


def test_none_is_as_frequent_as_each_colour(training):
    answers = Counter(q.answer for q in training.one_by_one()[1] if q.kind == "colour")
    assert 0.12 < answers["none"] / answers.total() < 0.21


def test_the_true_relation_is_the_one_of_the_scene(unseen):
    for question in unseen.one_by_one()[1]:
        if question.kind == "direction":
            assert relation(*question.about).split()[0] == question.answer


def test_unseen_pairs_are_asked_for_in_their_split_only(training):
    pairs = load_scene_questions(200, seed=1, split="new pairs")
    assert any(q.asks_new_pair for q in pairs.one_by_one()[1])
    assert not any(q.asks_new_pair for q in training.one_by_one()[1])
    there = {
        (thing.colour, thing.shape)
        for scene in training.scenes
        for thing in scene.objects
    }
    assert there.isdisjoint(HELD_OUT_PAIRS)


def test_every_word_is_in_the_vocabulary_and_survives_it(training):
    for question in training.one_by_one()[1][:500]:
        text = f"{question.text} {question.answer}"
        assert QUESTION_TOKENIZER.decode(QUESTION_TOKENIZER.encode(text)) == text


def test_conversations_mark_the_answers_and_number_the_questions():
    one = SceneQuestion("count", "how many shapes are there ?", "two")
    two = SceneQuestion("colour", "what colour is the circle ?", "red")
    rows = pack_conversations([[one, two], [one]])
    assert rows.ids.shape == (2, 16)
    first, second = (
        ids[is_answer].tolist()
        for ids, is_answer in zip(rows.ids, rows.is_answer, strict=True)
    )
    two, red = (QUESTION_TOKENIZER.encode(word)[0] for word in ("two", "red"))
    end = QUESTION_TOKENIZER.END
    assert (first, second) == ([two, end, red, end], [two, end])
    assert rows.documents.tolist() == [[1] * 8 + [2] * 8, [1] * 8 + [2] * 8]
    assert (rows.ids[1, 8:] == QUESTION_TOKENIZER.PADDING).all()


def test_a_picture_without_a_fair_question_is_a_row_of_padding():
    one = SceneQuestion("count", "how many shapes are there ?", "two")
    rows = pack_conversations([[one], []])
    assert not rows.is_answer[1].any()


def test_the_same_seed_asks_the_same_questions():
    first, second = (load_scene_questions(20, seed=4) for _ in range(2))
    assert first.questions == second.questions
    assert first.questions != load_scene_questions(20, seed=5).questions
    numbers, questions = first.one_by_one()
    assert [first.questions[n][0].text for n in numbers.unique()] == [
        asked[0].text for asked in first.questions if asked
    ]
    assert len(numbers) == len(questions)


def test_flipped_pairs_cannot_be_won_by_one_constant_answer():
    yes = SceneQuestion("relation", "is the circle above the square ?", "yes")
    no = SceneQuestion("relation", "is the circle above the square ?", "no")
    asked = [yes, no, no, yes]
    assert flipped_pairs(asked, ["yes", "no", "no", "yes"]).mean == 1
    assert flipped_pairs(asked, ["yes"] * 4).mean == 0
    assert flipped_pairs(asked, ["yes", "no", "no", "no"]).mean == 0.5
    assert flipped_pairs([yes, yes], ["yes"] * 2) is None


def test_blind_answers_are_the_most_frequent_ones_of_each_text():
    size = [
        SceneQuestion("size", "what size is the cross ?", a) for a in ("small", "large")
    ]
    count = SceneQuestion("count", "how many shapes are there ?", "one")
    assert blind_answers([size[0], size[1], size[1]], [size[0], count]) == ["large", ""]


def test_a_caption_is_right_in_any_order_of_the_objects():
    texts = full_captions(SCENE)
    assert len(texts) == 2
    wrong = texts[0].replace("red", "green")
    assert captions_right([SCENE] * 3, [*texts, wrong]) == [True, True, False]
    assert parse_caption(texts[1])


def test_covered_squares_are_those_with_ink():
    scenes = random_scenes(30, torch.Generator().manual_seed(0), objects=[1])
    for scene, picture in zip(scenes, render(scenes), strict=True):
        # sixteen squares of 8×8 pixels, and whether one of their pixels is not white
        squares = picture.unfold(1, 8, 8).unfold(2, 8, 8)
        inked = (squares < 0.99).permute(1, 2, 0, 3, 4).flatten(2).any(dim=2).flatten()
        covered = covered_squares(scene.objects, patch_size=8)
        assert not (inked & ~covered).any()
        if scene.objects[0].shape == "square":
            assert torch.equal(inked, covered)


def test_kinds_of_one_word_have_answers_of_one_word(training):
    for question in training.one_by_one()[1]:
        is_word = len(question.answer.split()) == 1
        assert is_word == (question.kind in ONE_WORD_KINDS)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: ask(SCENE, "weight", torch.Generator()), "kind must be one of"),
        (lambda: load_scene_questions(2, 0, kinds=10), "from 1 to 9"),
        (lambda: right_answers([], ["yes"]), "0 questions and 1 answers"),
        (lambda: covered_squares([RED_CIRCLE], 5), "must divide 32"),
        (lambda: captions_right([SCENE], []), "1 scenes and 0 captions"),
    ],
)
def test_wrong_arguments_of_scene_questions(unchecked, wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_invented_objects_counts_what_is_named_and_not_there():
    right = "a small red circle above a large blue square"
    assert invented_objects(SCENE, right) == 0
    assert invented_objects(SCENE, "a large red circle below a blue square") == 0
    assert invented_objects(SCENE, "a blue circle above a red square") == 2
    assert invented_objects(SCENE, "a red circle and a red circle") == 1
    with pytest.raises(ValueError, match="expected"):
        invented_objects(SCENE, "a red red circle")


def test_polling_questions_ask_for_present_and_absent_objects(unseen):
    scenes = unseen.scenes[:100]
    random = polling_questions(scenes, seed=0)
    close = polling_questions(scenes, seed=0, only_near_misses=True)
    assert {len(asked) for asked in random} == {2}
    for scene, asked, near in zip(scenes, random, close, strict=True):
        words = {word for o in scene.objects for word in (o.colour, o.shape)}
        present, absent = asked
        assert [present.answer, absent.answer] == ["yes", "no"]
        assert set(present.text.split()[3:5]) <= words
        assert words.isdisjoint(absent.text.split()[3:5])
        assert len(near) == (2 if near_misses(scene) else 0)
        assert all(set(question.text.split()[3:5]) <= words for question in near)
        assert [question.answer for question in near] in (["yes", "no"], [])


def test_attention_on_squares_leaves_out_the_text():
    weights = torch.tensor([[[[0.3, 0.1]]], [[[0.0, 0.5]]]])  # the rest is on the text
    chosen = torch.tensor([[True, False], [True, False]])
    shares = attention_on_squares(weights, chosen)
    assert torch.allclose(shares.flatten(), torch.tensor([0.75, 0.0]))
