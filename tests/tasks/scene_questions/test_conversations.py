"""Endless batches of pictures with conversations."""

import pytest
import torch

from genai_tutorial.tasks.scene_questions import ConversationBatches, load_needle_films
from genai_tutorial.tasks.shapes import HELD_OUT_PAIRS, read_scenes, render


def test_conversation_batches_resume():
    batches = ConversationBatches(16, seed=0, kinds=9)
    images, ids, is_answer, documents = next(batches)
    assert images.shape == (16, 3, 32, 32)
    assert ids.shape == is_answer.shape == documents.shape
    state = batches.state_dict()
    expected = next(batches)
    other = ConversationBatches(16, seed=1, kinds=9)
    other.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(expected, next(other), strict=True))


def test_conversation_batches_have_no_pair_that_is_held_out():
    for reading in read_scenes(next(ConversationBatches(40, 0, kinds=2))[0]):
        pairs = {(thing.colour, thing.shape) for thing in reading.scene.objects}
        assert pairs.isdisjoint(HELD_OUT_PAIRS)


def test_conversation_batches_are_split_over_processes():
    whole = next(ConversationBatches(6, seed=3, kinds=3))
    parts = [
        next(ConversationBatches(6, 3, 3, rank=rank, world_size=2)) for rank in (0, 1)
    ]
    for rank, (images, ids, *_) in enumerate(parts):
        assert torch.equal(whole[0][rank::2], images)
        assert torch.equal(whole[1][rank::2, : ids.shape[1]], ids)
    with pytest.raises(ValueError, match="multiple of the number of processes"):
        ConversationBatches(5, 0, 3, world_size=2)


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
