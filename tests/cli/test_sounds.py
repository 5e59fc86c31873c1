"""Clips as sound files, and the command that writes them."""

import io
import wave as wave_files

import pytest
import torch

from genai_tutorial.cli import main
from genai_tutorial.cli.sounds import PAUSE_SECONDS, write_clips


def test_write_clips_puts_a_pause_between_them(tmp_path):
    path = tmp_path / "clips.wav"
    write_clips(torch.full((3, 100), 0.5), 1000, path)
    with wave_files.open(io.BytesIO(path.read_bytes())) as file:
        assert file.getframerate() == 1000
        frames = file.readframes(file.getnframes())
    samples = torch.frombuffer(bytearray(frames), dtype=torch.int16)
    pause = round(1000 * PAUSE_SECONDS)
    assert len(samples) == 3 * 100 + 2 * pause
    assert (samples != 0).sum() == 300
    assert samples[100 : 100 + pause].abs().max() == 0


def test_write_clips_rejects_other_endings(tmp_path):
    with pytest.raises(ValueError, match=r"end in \.mp3 or \.wav, got clips\.png"):
        write_clips(torch.zeros(1, 10), 1000, tmp_path / "clips.png")


def test_sample_of_sounds_rejects_a_png(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["sample", "caption-voice", "--out", "clips.png"])
    assert stopped.value.code != 0
    assert ".mp3 or .wav" in capsys.readouterr().err
