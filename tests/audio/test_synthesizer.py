"""The synthesizer: frequencies, timbres and length."""

import pytest
import torch

from genai_tutorial.audio import SAWTOOTH, SINE, SQUARE, PlayedNote, synthesize
from genai_tutorial.audio.synthesizer import frequency


def test_frequency_doubles_every_octave():
    assert frequency(81) == 2 * frequency(69) == 880.0


def loudest(wave: torch.Tensor, count: int) -> list[int]:
    """Return the loudest frequencies of one second, in hertz."""
    spectrum = torch.fft.rfft(wave * torch.hann_window(len(wave))).abs()
    peaks = (spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])
    places = peaks.nonzero().flatten() + 1
    return sorted(places[spectrum[places].argsort(descending=True)[:count]].tolist())


@pytest.mark.parametrize(
    ("timbre", "harmonics"),
    [(SINE, [440]), (SQUARE, [440, 1320, 2200]), (SAWTOOTH, [440, 880, 1320])],
)
def test_synthesize_gives_each_timbre_its_harmonics(timbre, harmonics):
    wave = synthesize([PlayedNote(0.0, 1.0, 69)], timbre, rate=16_000)
    assert loudest(wave, len(harmonics)) == harmonics


def test_synthesize_leaves_out_harmonics_above_half_the_rate():
    wave = synthesize([PlayedNote(0.0, 1.0, 81)], SAWTOOTH, rate=4000)
    assert loudest(wave, 2) == [880, 1760]


def test_synthesize_places_notes_in_time_and_limits_the_peak():
    notes = [PlayedNote(0.0, 0.25, 60), PlayedNote(0.5, 0.25, 64)]
    wave = synthesize(notes, rate=8000)
    assert wave.shape == (6000,)
    assert wave[2000:4000].abs().max() == 0
    assert float(wave.abs().max()) == pytest.approx(0.8)


def test_synthesize_rejects_notes_without_length():
    for notes in ([PlayedNote(0.0, 0.0, 60)], []):
        with pytest.raises(ValueError, match=r"at least one note, .* a length above 0"):
            synthesize(notes)
