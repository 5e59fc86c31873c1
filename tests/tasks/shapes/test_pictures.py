"""Scenes and their pictures: uniform draws, unambiguous relations, held-out
combinations, reproducible pixels.
"""

import hashlib
import math
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import get_args

import pytest
import torch

from genai_tutorial.tasks.shapes import (
    CAPTION_LENGTH,
    CAPTION_TOKENIZER,
    DIAMETERS,
    HELD_OUT_EITHER_WAY,
    HELD_OUT_PAIRS,
    HELD_OUT_RELATIONS,
    IMAGE_SIZE,
    OPPOSITE,
    Colour,
    Place,
    Scene,
    SceneObject,
    Shape,
    SpatialRelation,
    Split,
    caption_accuracy,
    describe,
    distinct_scenes,
    encode_captions,
    full_captions,
    load_shapes,
    place,
    random_scenes,
    relation,
    render,
    retrieval_task,
)
from genai_tutorial.tasks.shapes.scenes import COLOURS, coverage


def draw(n, seed=0, objects=(1, 2, 3), split="train"):
    return random_scenes(n, torch.Generator().manual_seed(seed), objects, split)


SCENES = draw(6000)


def within_chance(counts: Counter, kinds: int, share: float = 1.0) -> None:
    """All kinds come, each within 4.5 standard deviations of an even share."""
    total = counts.total()
    assert len(counts) == kinds
    for count in counts.values():
        assert abs(count - total / kinds) < 4.5 * math.sqrt(total / kinds) * share


@pytest.mark.slow
def test_load_shapes_is_reproducible():
    shapes = load_shapes(300, seed=0)
    levels = (shapes.images * 255).round().to(torch.uint8)
    assert torch.equal(levels.float() / 255, shapes.images)
    digest = hashlib.sha256(levels.numpy().tobytes()).hexdigest()
    assert digest == "fde8cb5694eaebd4a00e58bcde76cb4c991dd54e6d4cf1d8cde1f6fc4693b69a"
    assert shapes.scenes != load_shapes(300, seed=1).scenes


def test_load_shapes_ignores_the_global_random_state():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load_shapes(10, seed=5)
    assert torch.equal(torch.rand(1), expected)


def test_random_scenes_are_uniform():
    within_chance(Counter(len(scene.objects) for scene in SCENES), 3)
    singles = [scene.objects[0] for scene in SCENES if len(scene.objects) == 1]
    within_chance(Counter(place(thing) for thing in singles), len(get_args(Place)))
    for count in (2, 3):
        first = Counter(
            describe(scene).relations[0]
            for scene in SCENES
            if len(scene.objects) == count
        )
        within_chance(first, len(get_args(SpatialRelation)))
    within_chance(Counter(thing.diameter for thing in singles), 6)
    within_chance(
        Counter((thing.colour, thing.shape) for thing in singles),
        24 - len(HELD_OUT_PAIRS),
    )


def test_random_scenes_third_object_is_in_the_other_direction():
    """If the second is above or below the first, the third is left or right of it."""
    vertical = {"above", "below"}
    for scene in SCENES:
        if len(scene.objects) == 3:
            second, third = describe(scene).relations
            assert (second in vertical) != (third in vertical)


def test_random_scenes_objects_do_not_touch():
    """Objects are inside the picture and apart, and their relation is clear."""
    for scene in SCENES:
        first, *others = scene.objects
        for thing in scene.objects:
            assert thing.diameter in DIAMETERS[thing.size]
            assert 1 <= thing.left <= IMAGE_SIZE - 1 - thing.diameter
            assert 1 <= thing.top <= IMAGE_SIZE - 1 - thing.diameter
        for i, one in enumerate(scene.objects):
            for other in scene.objects[:i]:
                gaps = [
                    max(b - a - one.diameter, a - b - other.diameter)
                    for a, b in ((one.left, other.left), (one.top, other.top))
                ]
                assert max(gaps) >= 2
        for other in others:
            right, down = (
                abs(a - b) for a, b in zip(first.centre, other.centre, strict=True)
            )
            assert abs(right - down) >= 3
        if not others:
            away = sorted(
                abs(coordinate - IMAGE_SIZE / 2) for coordinate in first.centre
            )
            assert away[0] <= 2.5
            assert away[1] <= 2.5 or away[1] >= 6


def combinations(scene: Scene) -> tuple[set, set]:
    first, *others = scene.objects
    return {(thing.colour, thing.shape) for thing in scene.objects}, {
        (first.shape, relation(first, other), other.shape) for other in others
    }


@pytest.mark.slow
@pytest.mark.parametrize("split", get_args(Split))
def test_random_scenes_splits(split):
    relations = set(HELD_OUT_RELATIONS) | {
        (b, OPPOSITE[how], a) for a, how, b in HELD_OUT_RELATIONS
    }
    assert relations == HELD_OUT_EITHER_WAY
    scenes = draw(2000, objects=(2, 3), split=split)
    seen_pairs, seen_relations = set(), set()
    for scene in scenes:
        pairs, related = combinations(scene)
        assert bool(pairs & set(HELD_OUT_PAIRS)) == (split == "new pairs")
        assert bool(related & relations) == (split == "new relations")
        seen_pairs |= pairs
        seen_relations |= related
    everything = set(product(get_args(Colour), get_args(Shape)))
    all_related = set(
        product(get_args(Shape), get_args(SpatialRelation), get_args(Shape))
    )
    hidden = set() if split == "new pairs" else set(HELD_OUT_PAIRS)
    assert seen_pairs == everything - hidden
    if split == "train":
        assert seen_relations == all_related - relations
    elif split == "new relations":
        assert seen_relations >= relations


def test_random_scenes_single_objects_of_new_pairs():
    assert all(
        combinations(scene)[0] <= set(HELD_OUT_PAIRS)
        for scene in draw(100, objects=[1], split="new pairs")
    )


@pytest.mark.parametrize("shape", get_args(Shape))
@pytest.mark.parametrize("diameter", [7, 12, 14])
def test_coverage_area(shape, diameter):
    covered = coverage(shape, diameter)
    share = {"circle": math.pi / 4, "square": 1, "triangle": 1 / 2, "cross": 5 / 9}
    assert covered.min() >= 0
    assert covered.max() == 64
    assert float(covered.double().mean()) / 64 == pytest.approx(share[shape], rel=0.03)
    assert torch.equal(covered, covered.flip(1))
    assert covered.any(dim=0).all()
    assert covered.any(dim=1).all()


def test_render_colours():
    thing = SceneObject("green", "square", left=3, top=10, diameter=9)
    picture = (render([Scene((thing,))])[0] * 255).round().long()
    inside = torch.zeros(IMAGE_SIZE, IMAGE_SIZE, dtype=torch.bool)
    inside[10:19, 3:12] = True
    assert (torch.tensor(COLOURS["green"]) == picture[:, inside].T).all()
    assert (picture[:, ~inside] == 255).all()


def test_render_antialiasing():
    thing = SceneObject("blue", "circle", left=2, top=2, diameter=14)
    picture = render([Scene((thing,))])[0]
    share = coverage("circle", 14) / 64
    ink = torch.tensor(COLOURS["blue"])[:, None, None] / 255
    torch.testing.assert_close(
        picture[:, 2:16, 2:16], 1 - share + share * ink, atol=0.51 / 255, rtol=0
    )


def test_render_batch_items_are_independent():
    for scene, picture in zip(SCENES[:50], render(SCENES[:50]), strict=True):
        assert torch.equal(render([scene])[0], picture)
    assert render([]).shape == (0, 3, IMAGE_SIZE, IMAGE_SIZE)
    assert (render([Scene(())]) == 1).all()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"objects": [0, 1]}, "some of the numbers 1, 2 and 3"),
        ({"objects": []}, "some of the numbers 1, 2 and 3"),
        (
            {"split": "test"},
            "split must be one of 'train', 'new pairs', 'new relations', got 'test'",
        ),
        ({"split": "new relations"}, "A single object has no relation"),
    ],
)
def test_load_shapes_refuses_wrong_arguments(arguments, complaint, unchecked):
    with pytest.raises(ValueError, match=complaint):
        load_shapes(**({"n": 5, "seed": 0} | arguments))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"left": 26}, "must lie inside"),
        ({"top": -1}, "must lie inside"),
        ({"diameter": 10}, r"diameter must be one of \[7, 8, 9, 12, 13, 14\]"),
    ],
)
def test_render_refuses_objects_outside_the_picture(change, complaint):
    thing = replace(SceneObject("red", "circle", 3, 3, diameter=7), **change)
    with pytest.raises(ValueError, match=complaint):
        render([Scene((thing,))])


def test_scene_object_refuses_unknown_colours_and_shapes(unchecked):
    with pytest.raises(ValueError, match="'blue', 'purple', got 'pink'"):
        SceneObject("pink", "circle", 1, 1, 7)
    with pytest.raises(ValueError, match="'triangle', 'cross', got 'ring'"):
        SceneObject("red", "ring", 1, 1, 7)


@pytest.mark.parametrize("split", ["train", "new pairs", "new relations"])
def test_distinct_scenes_have_different_meanings(split):
    scenes = distinct_scenes(300, torch.Generator().manual_seed(0), (2,), split)
    assert len({min(full_captions(scene)) for scene in scenes}) == len(scenes) == 300


def test_distinct_scenes_more_than_there_are_is_refused():
    with pytest.raises(ValueError, match=r"fewer than 300 .* of this kind: found 200"):
        distinct_scenes(300, torch.Generator().manual_seed(0), (1,))


def test_retrieval_task_has_a_true_caption_for_each_picture():
    images, captions = retrieval_task(20, seed=3)
    assert caption_accuracy(captions, images).everything == 1
    assert len(set(captions)) == 20
    assert retrieval_task(20, seed=3)[1] == captions != retrieval_task(20, seed=4)[1]


def test_caption_length_is_that_of_the_longest_caption():
    scenes = random_scenes(500, torch.Generator().manual_seed(0), (1, 2, 3), "train")
    captions = [text for scene in scenes for text in full_captions(scene)]
    lengths = {len(CAPTION_TOKENIZER.encode(text)) for text in captions}
    ends = encode_captions(sorted(set(captions))[::50]) == CAPTION_TOKENIZER.END
    assert (ends.sum(dim=1) == 1).all()
    assert max(lengths) == CAPTION_LENGTH


def test_retrieval_task_keeps_scenes_with_one_of_the_pairs():
    pairs = list(product(("red", "blue"), ("cross", "circle")))
    images, captions = retrieval_task(30, seed=3, pairs=pairs)
    assert len(images) == len(captions) == len(set(captions)) == 30
    named = [f"{colour} {shape}" for colour, shape in pairs]
    assert all(any(pair in text for pair in named) for text in captions)
    with pytest.raises(ValueError, match="Only 0 of 5 scenes"):
        retrieval_task(5, seed=3, pairs=[])
