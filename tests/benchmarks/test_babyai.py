"""The opponents of the record of BabyAI, and its seeds."""

import pytest
import torch

from benchmarks.babyai import PARTS, coordinates, nearest, train, visited
from genai_tutorial.runtime import record
from genai_tutorial.tasks.babyai import babyai_images, demonstrate_babyai


def test_coordinates_have_the_distances_of_pixels():
    images = babyai_images(demonstrate_babyai(5, seed=0).views)
    pixels = torch.cdist(images.flatten(1), images.flatten(1))
    shorter = coordinates(images)
    assert shorter.shape[1] < images[0].numel()
    torch.testing.assert_close(torch.cdist(shorter, shorter), pixels, atol=0.02, rtol=0)


def test_nearest_copies_a_demonstration_and_prefers_its_words():
    answers = demonstrate_babyai(30, seed=1)
    images = babyai_images(answers.views)
    act = nearest(answers)
    chosen = act(images, answers.words)
    for row, action in enumerate(chosen.tolist()):
        same = (answers.views == answers.views[row]).flatten(1).all(1)
        same &= (answers.words == answers.words[row]).all(1)
        assert action in answers.actions[same].tolist()
    swapped = act(images, answers.words[0].expand(len(images), -1))
    assert (swapped != chosen).any()


def test_blind_clone_acts_alike_under_all_words():
    answers = demonstrate_babyai(20, seed=2)
    images = babyai_images(answers.views)
    found = []
    for words in (answers.words, 1 - answers.words):
        act = train(answers, 20, seed=0, blind=True)
        found.append(act(images, words))
    assert torch.equal(*found)


@pytest.mark.slow
def test_visited_asks_for_as_many_answers_as_wanted():
    def turn(images, words):
        return torch.zeros(len(images), dtype=torch.long)

    parts = visited(turn, seed=0, wanted=7000)
    assert sum(len(part.actions) for part in parts) == 7000
    assert len(parts) > 1


def test_record_has_five_seeds_of_each_part():
    study = record("babyai")
    assert {part: len(study[part]) for part in PARTS} == dict.fromkeys(PARTS, 5)
