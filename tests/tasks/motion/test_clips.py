"""Clips and their captions: straight motion, held-out pairs, reproducible pixels."""

import hashlib
from collections import Counter
from itertools import pairwise

import pytest
import torch

from genai_tutorial.tasks.motion import (
    MOTION_TOKENIZER,
    MOTIONS,
    MOVES_TOKEN,
    Clip,
    Motion,
    encode_motion_captions,
    load_clips,
    random_clips,
    render_clips,
)
from genai_tutorial.tasks.motion.clips import (
    HELD_OUT_MOTIONS,
    motion_caption_words,
    parse_motion_caption,
)
from genai_tutorial.tasks.shapes import (
    CAPTION_TOKENIZER,
    HELD_OUT_PAIRS,
    ObjectDescription,
    SceneObject,
    encode_captions,
)


def draw(n, seed=0, frames=8, split="train"):
    return random_clips(n, torch.Generator().manual_seed(seed), frames, split)


def test_load_clips_has_the_same_pixels_everywhere():
    films = load_clips(20, seed=3).films
    pixels = (films * 255).round().byte().numpy().tobytes()
    assert hashlib.sha256(pixels).hexdigest()[:16] == "26500389e0186292"


def test_clip_moves_by_its_velocity_in_every_frame():
    for clip in draw(200):
        things = [scene.objects[0] for scene in clip.scenes]
        assert len(things) == 8
        for before, after in pairwise(things):
            moved = after.left - before.left, after.top - before.top
            assert moved == clip.motion.velocity
        assert all(1 <= t.left <= 31 - t.diameter for t in things)
        assert all(1 <= t.top <= 31 - t.diameter for t in things)


def test_render_clips_shifts_the_pixels():
    clip = Clip(SceneObject("blue", "cross", 3, 4, 8), Motion("right", "fast"))
    film = render_clips([clip])[0]
    assert torch.equal(film[1], film[0].roll(2, dims=2))
    assert torch.equal(film[7], film[0].roll(14, dims=2))


def test_random_clips_draw_every_motion_equally_often():
    counts = Counter(clip.motion for clip in draw(4000))
    assert set(counts) == set(MOTIONS)
    assert max(counts.values()) < 1.25 * min(counts.values())


@pytest.mark.parametrize("split", ["train", "new motions"])
def test_random_clips_hold_out_colour_direction_pairs(split):
    clips = draw(2000, split=split)
    pairs = {(clip.thing.colour, clip.motion.direction) for clip in clips}
    if split == "train":
        assert len(pairs) == 24 - len(HELD_OUT_MOTIONS)
        assert pairs.isdisjoint(HELD_OUT_MOTIONS)
    else:
        assert pairs == set(HELD_OUT_MOTIONS)
    shown = {(clip.thing.colour, clip.thing.shape) for clip in clips}
    assert shown.isdisjoint(HELD_OUT_PAIRS)


def test_random_clips_of_other_lengths_stay_in_the_picture():
    for frames in (2, 6, 9):
        render_clips(draw(300, frames=frames))


@pytest.mark.parametrize("frames", [1, 10])
def test_load_clips_names_what_is_out_of_range(frames):
    with pytest.raises(ValueError, match=f"frames must be from 2 to 9.*got {frames}"):
        load_clips(3, 0, frames)


def test_render_clips_needs_clips_of_one_length():
    thing, motion = SceneObject("red", "circle", 9, 9, 8), Motion("up", "slowly")
    for clips in ([], [Clip(thing, motion, 3), Clip(thing, motion, 4)]):
        with pytest.raises(ValueError, match="same number of frames"):
            render_clips(clips)


def test_parse_motion_caption_inverts_the_caption():
    for clip in draw(200):
        thing = clip.thing
        described = ObjectDescription(thing.shape, thing.colour, thing.size)
        assert parse_motion_caption(clip.caption) == (described, clip.motion)


@pytest.mark.parametrize(
    "text",
    [
        "a red circle",
        "a red circle moves",
        "a red circle moves left",
        "a red circle moves left fast now",
        "a red circle moves fast left",
        "a red circle on the left moves left fast",
        "a red circle above a blue square moves left fast",
        "a pink circle moves left fast",
    ],
)
def test_parse_motion_caption_rejects_other_sentences(text, unchecked):
    with pytest.raises(ValueError, match=r"caption|direction"):
        parse_motion_caption(text)


def test_motion_with_unknown_words_is_rejected(unchecked):
    for words in (("sideways", "fast"), ("left", "quickly")):
        with pytest.raises(ValueError, match=r"one of .*, got '(sideways|quickly)'"):
            Motion(*words)


def test_motion_tokenizer_keeps_the_numbers_of_the_old_words():
    assert motion_caption_words()[: len(CAPTION_TOKENIZER.words)] == (
        CAPTION_TOKENIZER.words
    )
    old, new = encode_captions(["a small red circle"]), encode_motion_captions
    assert torch.equal(new(["a small red circle"])[0, :5], old[0, :5])
    assert new(["a circle moves up fast"])[0].tolist().index(MOVES_TOKEN) == 2
    longest = max(len(MOTION_TOKENIZER.encode(clip.caption)) for clip in draw(100))
    assert longest == new(["a circle"]).shape[1]
