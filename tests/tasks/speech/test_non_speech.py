import pytest
import torch

from genai_tutorial.tasks.speech import draw_non_speech

QUIET = ["silence", "white noise", "brown noise", "tone", "chirp", "clicks"]


def crossings(wave: torch.Tensor) -> float:
    signs = wave.sign()
    return (signs[1:] != signs[:-1]).float().mean().item()


def test_kinds_come_in_turn_and_differ_in_what_they_sound_like():
    silence, white, brown, tone = draw_non_speech(4, 0, QUIET[:4])
    assert silence.abs().max() == 0
    assert crossings(white) == pytest.approx(0.5, abs=0.02)
    assert crossings(brown) < 0.1
    spectrum = torch.fft.rfft(tone).abs()
    assert spectrum.topk(20).values.square().sum() > 0.9 * spectrum.square().sum()


def test_sounds_last_one_to_four_seconds_and_are_not_too_loud():
    for wave in draw_non_speech(30, 1, QUIET):
        assert 16_000 <= len(wave) <= 64_000
        assert wave.isfinite().all()
        assert wave.abs().max() <= 2


def test_sounds_are_those_of_the_seed():
    a, b, c = (draw_non_speech(6, seed, QUIET) for seed in (2, 2, 3))
    assert all(torch.equal(one, two) for one, two in zip(a, b, strict=True))
    assert any(len(one) != len(two) for one, two in zip(a, c, strict=True))


def test_speech_is_played_backwards():
    pytest.importorskip("espeakng_loader")
    from genai_tutorial.data import speak
    from genai_tutorial.tasks.speech import draw_sentences, draw_voices

    (wave,) = draw_non_speech(1, 4, ["backwards"], held_out=True)
    (said,) = speak(draw_sentences(1, 4, True), draw_voices(1, 4, True))
    assert torch.equal(wave, said.wave.flip(0))


@pytest.mark.parametrize(("n", "kinds"), [(0, ["tone"]), (1, []), (1, ["music"])])
def test_unknown_kinds_and_empty_draws_are_refused(n, kinds, unchecked):
    with pytest.raises(ValueError, match="n must be at least 1 and kinds some of"):
        draw_non_speech(n, 0, kinds)
