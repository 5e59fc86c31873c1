"""Captioned melodies and the verifier that listens to them."""

from dataclasses import replace

import pytest
import torch

from genai_tutorial.audio import SINE, PlayedNote, synthesize
from genai_tutorial.tasks.melodies import (
    CAPTIONS,
    NOTES,
    RATE,
    MelodyCaption,
    attributes_right,
    draw_melodies,
    listen,
    play_melody,
)


def drawn(captions, seed: int = 0) -> torch.Tensor:
    return draw_melodies(captions, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def heard():
    melodies = drawn(CAPTIONS)
    return melodies, [listen(play_melody(melody.tolist())) for melody in melodies]


@pytest.mark.slow
def test_listen_reads_every_attribute_of_rendered_melodies(heard):
    right = attributes_right(CAPTIONS, [each.caption for each in heard[1]])
    assert list(right) == ["timbre", "tempo", "register", "mode", "all"]
    assert all(all(each) for each in right.values())


def test_listen_hears_the_pitches(heard):
    melodies, readings = heard
    pitches = [tuple((melody[1] + 38).tolist()) for melody in melodies]
    exact = [a == b.pitches for a, b in zip(pitches, readings, strict=True)]
    assert sum(exact) >= 0.95 * len(exact)


def test_listen_gives_other_captions_chance(heard):
    captions = [each.caption for each in heard[1]]
    order = torch.randperm(54, generator=torch.Generator().manual_seed(0)).tolist()
    right = attributes_right(CAPTIONS, [captions[index] for index in order])
    assert sum(right["all"]) <= 4
    assert sum(right["timbre"]) < 0.55 * 54
    assert sum(right["mode"]) < 0.7 * 54


@pytest.mark.parametrize("changed", ["timbre", "tempo", "register", "mode"])
def test_listen_notices_each_attribute_alone(changed):
    others = MelodyCaption("sawtooth", "slow", "high", "minor")
    start = MelodyCaption("square", "fast", "low", "major")
    caption = replace(start, **{changed: getattr(others, changed)})
    reading = listen(play_melody(drawn([caption], seed=1)[0].tolist())).caption
    assert reading == caption


def test_listen_survives_noise():
    melodies = drawn(CAPTIONS[::6], seed=2)
    generator = torch.Generator().manual_seed(0)
    waves = [play_melody(melody.tolist()) for melody in melodies]
    noisy = [
        wave + 0.01 * torch.randn(len(wave), generator=generator) for wave in waves
    ]
    readings = [listen(wave).caption for wave in noisy]
    assert sum(attributes_right(CAPTIONS[::6], readings)["all"]) >= 8


def test_listen_reads_a_scale_and_rejects_silence():
    notes = [PlayedNote(0.3 * n, 0.3, pitch) for n, pitch in enumerate((60, 64, 60))]
    reading = listen(synthesize(notes, SINE, RATE))
    assert reading.pitches == (60, 64, 60)
    with pytest.raises(ValueError, match="no sound to listen to"):
        listen(torch.zeros(RATE))


def test_melodies_begin_and_end_on_the_tonic_and_contain_the_third():
    melodies = drawn(CAPTIONS, seed=3)
    assert melodies.shape == (54, 3, NOTES)
    for caption, pitches in zip(CAPTIONS, melodies[:, 1].tolist(), strict=True):
        assert pitches[0] == pitches[-1]
        above = {(pitch - pitches[0]) % 12 for pitch in pitches}
        third, other = (4, 3) if caption.mode == "major" else (3, 4)
        assert third in above
        assert other not in above
