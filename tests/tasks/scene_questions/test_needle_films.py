import pytest
import torch

from genai_tutorial.tasks.scene_questions import load_needle_films
from genai_tutorial.tasks.shapes import render


def test_only_the_needle_frame_has_the_shape_that_is_asked_for():
    loaded = load_needle_films(20, frames=3, seed=0)
    for row, needle, question in zip(
        loaded.scenes, loaded.needles.tolist(), loaded.questions, strict=True
    ):
        (thing,) = question.about
        has_shape = [
            thing.shape in {other.shape for other in scene.objects} for scene in row
        ]
        assert has_shape == [frame == needle for frame in range(3)]
        assert row[needle].objects == (thing,)
        assert question.text == f"what colour is the {thing.shape} ?"
        assert question.answer == thing.colour
    assert set(loaded.needles.tolist()) == {0, 1, 2}


def test_films_are_the_pictures_of_their_scenes():
    loaded = load_needle_films(2, frames=4, seed=1)
    assert torch.equal(loaded.films[1], render(loaded.scenes[1]))


@pytest.mark.parametrize("wrong", [{"n": 0}, {"frames": 0}])
def test_load_needle_films_rejects_empty_films(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        load_needle_films(**{"n": 1, "frames": 1, "seed": 0} | wrong)
