from itertools import pairwise

import numpy as np
import pytest
import torch

from genai_tutorial.data import ACCENTS, SAMPLE_RATE, Voice, espeak, speak, speakers
from genai_tutorial.runtime import machine

pytest.importorskip("espeakng_loader")
TEXT = "a small red circle in the middle"


@pytest.fixture(scope="module")
def spoken():
    return speak([TEXT, "two two", TEXT], [Voice(), Voice("en", "f2"), Voice()])


def test_the_same_list_has_the_same_samples(spoken):
    again = speak([TEXT, "two two", TEXT], [Voice(), Voice("en", "f2"), Voice()])
    for one, other in zip(spoken, again, strict=True):
        assert torch.equal(one.wave, other.wave)
        assert one.phonemes == other.phonemes


def test_waves_have_sixteen_thousand_samples_a_second(spoken):
    for one in spoken:
        assert one.seconds == len(one.wave) / SAMPLE_RATE
        assert 0.3 < one.seconds < 4
        assert 0.1 < one.wave.abs().max() <= 1


def test_words_follow_the_text_and_pairs_are_one_word(spoken):
    assert [word.label for word in spoken[1].words] == ["two", "two"]
    labels = [word.label for word in spoken[0].words]
    assert labels == ["a", "small", "red", "circle", "in the", "middle"]


def test_phonemes_are_in_order_and_belong_to_their_words(spoken):
    one = spoken[0]
    assert all(a.end == b.start for a, b in pairwise(one.phonemes))
    red = [phoneme.label for phoneme in one.phonemes if phoneme.word == 2]
    assert red == ["ɹ", "ˈɛ", "d"]
    assert one.phonemes[-1].end <= one.seconds


def test_phonemes_stand_where_the_sound_is(spoken):
    """An s is a hiss: its wave crosses zero far more often than a vowel's."""

    def crossings(label: str) -> float:
        phoneme = next(p for p in spoken[0].phonemes if p.label == label)
        start, end = (int(t * SAMPLE_RATE) for t in (phoneme.start, phoneme.end))
        signs = spoken[0].wave[start:end].sign()
        return (signs[1:] != signs[:-1]).float().mean().item()

    assert crossings("s") > 3 * crossings("ˈɔː")


def test_voices_differ(spoken):
    voices = [Voice(), Voice("en-us", "f2"), Voice(pitch=90)]
    plain, *others = (one.wave for one in speak(["one"] * 3, voices))
    for other in others:
        assert len(other) != len(plain) or not torch.allclose(plain, other, atol=1e-2)


def test_all_accents_exist():
    assert all(one.seconds > 0.2 for one in speak(["one"] * 7, [*map(Voice, ACCENTS)]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"accent": "en-gb"}, "accent must be one of en-us"),
        ({"speed": 20}, "speed must be an integer from 80 to 450, got 20"),
        ({"pitch": 100}, "pitch must be an integer from 0 to 99, got 100"),
    ],
)
def test_voice_rejects_what_the_synthesizer_would_ignore(wrong, message):
    with pytest.raises(ValueError, match=message):
        Voice(**wrong)


def test_unknown_speaker_is_refused_although_the_synthesizer_accepts_it():
    assert "nonsense" not in speakers()
    with pytest.raises(ValueError, match="no speaker 'nonsense'"):
        speak(["one"], [Voice("en-us", "nonsense")])


@pytest.mark.parametrize(
    ("texts", "voices", "message"),
    [
        ([], [], "0 voices for 0 texts"),
        (["one"], [], "0 voices for 1 texts"),
        ([" "], [Voice()], "must contain words"),
        (["one\0two"], [Voice()], "must contain words"),
    ],
)
def test_speak_rejects_lists_that_cannot_be_spoken(texts, voices, message):
    with pytest.raises(ValueError, match=message):
        speak(texts, voices)


def test_error_of_the_library_is_an_error_here():
    """The library keeps the last voice if it does not know the next one."""
    wrong = Voice()
    object.__setattr__(wrong, "accent", "en-gb")  # past the check
    with pytest.raises(RuntimeError, match="espeak_SetVoiceByName returned 2"):
        speak(["one", "one"], [Voice(), wrong])


def test_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "genai_tutorial\[audio\]"'):
        speak(["one"], [Voice()])


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_resample_keeps_frequency_and_loudness(rate):
    time = np.arange(rate // 2) / rate
    wave = espeak.resample(np.sin(2 * np.pi * 600 * time), rate)
    wanted = np.sin(2 * np.pi * 600 * np.arange(8_000) / 16_000)
    assert np.abs(wave[:8_000] - wanted)[200:-200].max() < 1e-3
