import io
import wave as wave_files

import numpy as np
import pytest
import torch

from genai_tutorial.runtime import mp3_bytes, small_wav_bytes, write_sound
from genai_tutorial.runtime import sound_files as module
from genai_tutorial.runtime.sound_files import wav_bytes


def tone(seconds: float = 1.0, rate: int = 16_000):
    return torch.sin(2 * torch.pi * 440 * torch.arange(int(seconds * rate)) / rate) / 2


def read(content: bytes) -> tuple[np.ndarray, int]:
    with wave_files.open(io.BytesIO(content)) as file:
        kind = {1: np.uint8, 2: np.dtype("<i2")}[file.getsampwidth()]
        samples = np.frombuffer(file.readframes(file.getnframes()), kind)
        return samples.astype(float), file.getframerate()


def test_wav_with_16_bits_restores_samples():
    samples, rate = read(wav_bytes(tone(), 16_000))
    assert rate == 16_000
    assert np.abs(samples / 32767 - tone().numpy()).max() < 1e-4


def test_small_wav_has_eight_bits_at_eight_kilohertz():
    samples, rate = read(small_wav_bytes(tone(), 16_000))
    assert rate == 8_000
    assert len(samples) == 8_000
    spectrum = np.abs(np.fft.rfft(samples - 128))
    assert spectrum.argmax() == 440
    assert read(small_wav_bytes(tone(rate=22_050), 22_050))[1] == 7_350


def test_mp3_is_small_decodable_and_the_same_every_time():
    soundfile = pytest.importorskip("soundfile")
    content = mp3_bytes(tone(), 16_000)
    assert content == mp3_bytes(tone(), 16_000)
    assert len(content) < 10_000
    samples, rate = soundfile.read(io.BytesIO(content))
    assert rate == 16_000
    assert abs(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples) - 440) < 2


def test_mp3_without_soundfile_names_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    assert not module.mp3_is_available()
    with pytest.raises(ImportError, match=r"genai_tutorial\[audio\]"):
        mp3_bytes(tone(), 16_000)


def test_write_sound_chooses_the_format_by_the_ending(tmp_path):
    for name, first in (("a.wav", b"RIFF"), ("b.WAV", b"RIFF")):
        write_sound(tone(0.1), 16_000, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(first)
    with pytest.raises(ValueError, match=r"must end in \.mp3 or \.wav, got a\.ogg"):
        write_sound(tone(0.1), 16_000, tmp_path / "a.ogg")


@pytest.mark.parametrize("wave", [torch.zeros(0), torch.tensor([0.0, float("nan")])])
def test_sound_that_is_empty_or_not_finite_is_rejected(wave):
    with pytest.raises(ValueError, match="only finite ones"):
        wav_bytes(wave, 16_000)


def test_loud_samples_are_clipped_instead_of_wrapping_around():
    samples, _ = read(wav_bytes(torch.tensor([3.0, -3.0]), 16_000))
    assert samples.tolist() == [32767, -32767]
