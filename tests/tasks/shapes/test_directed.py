"""What follows an outline or an instruction, and a colour without a name."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.tasks.shapes import (
    PINK,
    LayoutAccuracy,
    Scene,
    SceneObject,
    ink_colour,
    instruction_scores,
    layout_accuracy,
    layout_scores,
    load_shapes,
    outlines,
    random_instructions,
    render,
    render_in,
    silhouettes,
    unchanged_positions,
)
from genai_tutorial.tasks.shapes.scenes import COLOURS

CIRCLE = SceneObject("red", "circle", 4, 4, 9)


def test_outline_of_a_square_is_its_border_and_has_no_colour():
    red, blue = (
        render([Scene((SceneObject(c, "square", 8, 8, 8),))]) for c in ("red", "blue")
    )
    edge = outlines(red)[0, 0]
    assert torch.equal(edge, outlines(blue)[0, 0])
    first, last = edge[8, 8:16], edge[16, 8:16]
    assert first.all()
    assert last.all()
    assert edge[8:16, [8, 16]].all()
    assert not edge[9:16, 9:16].any()


def test_silhouettes_hide_colours():
    filled = silhouettes(load_shapes(20, 0).images)
    assert sorted(filled.unique().tolist()) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"colour": "blue"}, "colour"),
        ({"shape": "cross"}, "shape"),
        ({"left": 8}, "place"),
        ({"diameter": 13, "left": 2, "top": 2}, "size"),
    ],
)
def test_layout_score_names_what_differs(changed, wrong):
    image = render([Scene((replace(CIRCLE, **changed),))])
    score = layout_accuracy([Scene((CIRCLE,))], image)
    expected = dict.fromkeys(("colour", "shape", "size", "place"), 1.0)
    assert vars(score) == {**expected, wrong: 0.0, "everything": 0.0}


def test_layout_score_of_a_further_or_a_missing_object():
    further = Scene((CIRCLE, SceneObject("blue", "square", 20, 20, 8)))
    [score] = layout_scores([Scene((CIRCLE,))], render([further]))
    assert (score.place, score.everything) == (1, 0)
    nothing = layout_accuracy([Scene((CIRCLE,))], torch.ones(1, 3, 32, 32))
    assert nothing == LayoutAccuracy(0.0, 0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="no picture"):
        layout_scores([], torch.ones(0, 3, 32, 32))


@pytest.mark.slow
def test_instructions_are_done_by_the_new_scene_and_not_by_the_old_one():
    made = random_instructions(300, 0)
    assert {one.kind for one in made} == {"recolour", "reshape", "resize"}
    after = instruction_scores(made, render([one.after for one in made]))
    assert all(score.both for score in after)
    before = instruction_scores(made, render([one.before for one in made]))
    assert all(score.kept and not score.done for score in before)


def test_instruction_score_sees_that_another_object_changed():
    made = next(
        one
        for one in random_instructions(50, 0)
        if len(one.after.objects) == 2 and one.kind == "recolour"
    )
    objects = list(made.after.objects)
    other = 1 - made.index
    colour = next(c for c in COLOURS if c not in {thing.colour for thing in objects})
    objects[other] = replace(objects[other], colour=colour)
    [score] = instruction_scores([made], render([Scene(tuple(objects))]))
    assert (score.done, score.kept, score.both) == (True, False, False)


def test_unchanged_positions_leave_out_old_and_new_object():
    made = random_instructions(50, 1)
    before, after = (
        render([getattr(one, side) for one in made]) for side in ("before", "after")
    )
    known = unchanged_positions(made).repeat_interleave(4, 2).repeat_interleave(4, 3)
    differs = (before != after).any(dim=1, keepdim=True)
    assert not (differs & known).any()
    assert 0.3 < known.float().mean() < 0.95


def test_rendering_in_a_known_colour_is_the_usual_rendering():
    scenes = [Scene((replace(CIRCLE, colour="blue"),))]
    assert (render_in(scenes, COLOURS["blue"]) - render(scenes)).abs().max() < 0.006
    assert ink_colour(render_in(scenes, PINK))[0].tolist() == pytest.approx(PINK)
