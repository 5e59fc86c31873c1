import pytest
import torch

from genai_tutorial.audio import log_mel_spectrogram
from genai_tutorial.data import SAMPLE_RATE, speak
from genai_tutorial.tasks.speech import (
    digit_images,
    digit_waves,
    draw_spoken_digits,
    draw_voices,
)
from genai_tutorial.tasks.speech.batches import DIGIT_COLUMNS, DIGIT_MELS
from genai_tutorial.tasks.speech.recordings import HELD_OUT_SPEAKERS


@pytest.fixture
def tones():
    """A loud low tone of half a second, and a soft high one of two seconds."""
    time = torch.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    return [
        0.5 * (2 * torch.pi * 300 * time[: SAMPLE_RATE // 2]).sin(),
        0.01 * (2 * torch.pi * 3000 * time).sin(),
    ]


def test_images_have_one_size_and_a_known_scale(tones):
    images = digit_images(tones)
    assert images.shape == (2, 1, DIGIT_MELS.mels, DIGIT_COLUMNS)
    assert images.min() == -1
    assert images.max() <= 1
    assert torch.all(images[0, 0, :, 40:] == -1), "silence after half a second"
    assert images[1, 0, :, 60].max() > -1, "the second tone lasts to the end"
    low, high = images[:, 0, :, 20].argmax(dim=1).tolist()
    assert low < 10 < high, "low bands come first"


def test_a_pixel_is_a_log_mel_between_minus_9_and_2(tones):
    wave = tones[1][: (DIGIT_COLUMNS - 1) * DIGIT_MELS.hop]
    log_mels = log_mel_spectrogram(wave, DIGIT_MELS)
    expected = 2 * (log_mels.clamp(-9, 2) + 9) / 11 - 1
    assert torch.allclose(digit_images([wave])[0, 0], expected, atol=1e-6)


def test_waves_have_the_images_that_they_were_made_from(tones):
    images = digit_images(tones)
    waves = digit_waves(images, torch.Generator().manual_seed(0))
    assert waves.shape == (2, (DIGIT_COLUMNS - 1) * DIGIT_MELS.hop)
    error = (digit_images(list(waves)) - images).abs().mean()
    swapped = (digit_images(list(waves)) - images.flip(0)).abs().mean()
    assert error < 0.1 < 0.2 < swapped


@pytest.mark.slow
def test_digits_take_turns_and_voices_follow_the_split():
    pytest.importorskip("espeakng_loader")
    digits = draw_spoken_digits(12, seed=4)
    assert digits.labels.tolist() == [*range(10), 0, 1]
    assert len(digits) == len(digits.images) == 12
    again = draw_spoken_digits(12, seed=4)
    assert torch.equal(digits.images, again.images)
    others = draw_spoken_digits(12, seed=4, held_out_voices=True)
    assert not torch.equal(digits.images, others.images)
    voices = draw_voices(12, 4, held_out=True)
    (zero,) = speak(["zero"], voices[:1])
    assert zero.voice.variant in HELD_OUT_SPEAKERS
    assert torch.allclose(digit_images([zero.wave])[0], others.images[0], atol=0.05)


def test_no_recording_is_an_error():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        draw_spoken_digits(0, seed=0)
