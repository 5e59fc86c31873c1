"""The motion verifier: everything is right in real clips, and only there."""

import math

import pytest
import torch

from genai_tutorial.tasks.motion import (
    MotionScore,
    fit_line,
    load_clips,
    motion_accuracy,
    motion_scores,
    track,
)


@pytest.fixture(scope="module")
def clips():
    return load_clips(40, seed=11)


@pytest.mark.slow
def test_motion_accuracy_of_real_clips_is_perfect_and_of_another_caption_low(clips):
    accuracy = motion_accuracy(clips.captions, clips.films)
    assert accuracy.everything == accuracy.speed == accuracy.identity == 1
    assert accuracy.jitter == 0
    others = clips.captions[1:] + clips.captions[:1]
    accuracy = motion_accuracy(others, clips.films)
    assert accuracy.everything < 0.05
    assert accuracy.direction < 0.45  # a quarter of the directions agree by chance
    assert accuracy.constant == 1


@pytest.mark.slow
def test_motion_accuracy_of_shuffled_or_still_frames_fails_the_motion_only(clips):
    captions, films = clips.captions[:15], clips.films[:15]
    shuffled = films[:, [4, 1, 6, 2, 7, 0, 5, 3]]
    still = films[:, :1].expand_as(films)
    shuffled, still = (motion_accuracy(captions, f) for f in (shuffled, still))
    assert shuffled.identity == still.identity == 1
    assert shuffled.everything == still.direction == still.everything == 0
    assert shuffled.jitter > 2 > still.jitter == 0


def reworded(captions, words):
    return [" ".join(words.get(word, word) for word in c.split()) for c in captions]


@pytest.mark.slow
def test_motion_scores_of_a_film_backwards_have_the_opposite_direction(clips):
    backwards = clips.films.flip(1)
    opposite = {"left": "right", "right": "left", "up": "down", "down": "up"}
    captions = reworded(clips.captions, opposite)
    assert motion_accuracy(captions, backwards).everything == 1
    assert motion_accuracy(clips.captions, backwards).direction == 0


@pytest.mark.slow
def test_motion_scores_tell_slow_from_fast(clips):
    captions = reworded(clips.captions, {"slowly": "fast", "fast": "slowly"})
    accuracy = motion_accuracy(captions, clips.films)
    assert accuracy.direction == 1
    assert accuracy.speed == accuracy.everything == 0


def test_motion_scores_see_a_change_of_colour_or_an_empty_frame(clips):
    recoloured, emptied = clips.films[:1].clone(), clips.films[:1].clone()
    recoloured[0, 3] = recoloured[0, 3].roll(1, dims=0)  # another colour
    emptied[0, 5] = 1.0
    (changed,) = motion_scores(clips.captions[:1], recoloured)
    (gone,) = motion_scores(clips.captions[:1], emptied)
    assert changed.complete
    assert not changed.constant
    assert not changed.identity
    assert changed.speed
    assert gone == MotionScore(False, False, False, False, False, False, None)


def test_motion_scores_leave_open_what_the_caption_omits(clips):
    thing, motion = clips.captions[0].split(" moves ")
    (score,) = motion_scores([f"a {thing.split()[-1]} moves {motion}"], clips.films[:1])
    assert score.everything


def test_fit_line_measures_the_distance_from_a_straight_line():
    line = torch.tensor([[1.0, 2.0], [1.0, 3.0], [1.0, 4.0], [1.0, 5.0]])
    off = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    velocity, jitter = fit_line(line + off)
    assert torch.allclose(velocity, torch.tensor([0.0, 1.0]))
    assert math.isclose(jitter, 1.0, abs_tol=1e-6)


def test_track_rejects_single_frames(clips):
    with pytest.raises(ValueError, match="at least two frames, got 1"):
        track(clips.films[:, :1])


def test_motion_scores_need_one_caption_per_film(clips):
    with pytest.raises(ValueError, match="got 2 captions and 3 films"):
        motion_scores(clips.captions[:2], clips.films[:3])
