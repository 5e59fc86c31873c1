import base64
import re

import numpy as np
import pytest
import torch

from genai_tutorial.notebook import Sound, Sounds

TONE = torch.sin(torch.arange(4000) / 6) / 2


def test_sound_has_player_name_and_transcript():
    html = Sound(TONE, 16_000, "Voice <1>", 'She says "three & four".').to_html()
    assert 'aria-label="Voice &lt;1&gt;"' in html
    assert "<strong>Voice &lt;1&gt;</strong>" in html
    assert "She says &quot;three &amp; four&quot;." in html
    assert '<audio controls preload="none"' in html
    assert "<script" not in html


def test_sound_is_stored_in_the_page_and_byte_stable():
    first, second = (Sound(TONE, 16_000, "A", "B") for _ in range(2))
    assert first.to_html() == second.to_html()
    kind, content = re.fullmatch(r"data:(audio/\w+);base64,(.*)", first.source).groups()
    assert kind == "audio/mpeg"
    assert base64.b64decode(content) == first.content


def test_sound_without_soundfile_is_wav(monkeypatch):
    monkeypatch.setattr("genai_tutorial.notebook.sound.mp3_is_available", lambda: False)
    sound = Sound(TONE, 16_000, "A", "B")
    assert sound.kind == "audio/wav"
    assert sound.content.startswith(b"RIFF")
    assert len(sound.content) < 2_100


def test_sound_in_a_terminal_is_its_name_length_and_transcript():
    sound = Sound(np.zeros(8000), 16_000, "Silence", "Half a second of nothing.")
    bundle = sound._repr_mimebundle_()
    assert bundle["text/plain"] == (
        "[Sound, 0.5 s: Silence. Half a second of nothing.]"
    )
    assert bundle["text/html"] == sound.to_html()


@pytest.mark.parametrize(
    ("wave", "rate", "name", "transcript", "message"),
    [
        (torch.zeros(2, 100), 16_000, "A", "B", "one channel"),
        (torch.zeros(0), 16_000, "A", "B", "one channel"),
        (TONE, 0, "A", "B", "positive rate"),
        (TONE, 16_000, " ", "B", "name must have 1 to 80"),
        (TONE, 16_000, "A", "x" * 301, "transcript must have 1 to 300"),
    ],
)
def test_sound_rejects_what_cannot_be_played_or_read(
    wave, rate, name, transcript, message
):
    with pytest.raises(ValueError, match=message):
        Sound(wave, rate, name, transcript)


def test_sounds_lists_clips_with_different_names():
    clips = [Sound(TONE, 16_000, name, "A tone.") for name in ("low", "high")]
    bundle = Sounds(clips)._repr_mimebundle_()
    assert bundle["text/html"].count("<audio") == 2
    assert bundle["text/plain"].splitlines()[1].endswith("high. A tone.]")
    with pytest.raises(ValueError, match="different names"):
        Sounds([clips[0], clips[0]])
    with pytest.raises(ValueError, match="different names"):
        Sounds([])
