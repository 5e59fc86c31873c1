"""Sounds that play in a web page, without a kernel, JavaScript or another host.

A clip is embedded in the page, as MP3 (or, without soundfile, as WAV of lower quality).
It has a name, which screen readers read out before the controls, and a transcript for
everyone who cannot hear it.
"""

import base64
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from genai_tutorial.runtime import mp3_bytes, mp3_is_available, small_wav_bytes

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

LONGEST_TRANSCRIPT = 300
_CARD = "margin: 0 0 0.75em; flex: 1 1 15em; min-width: 0; max-width: 26em"
_PLAYER = "display: block; width: 100%; height: 2.5em; margin-top: 0.25em"
_ROW = "display: flex; flex-wrap: wrap; gap: 0 1em"


class Sound:
    """A clip with a name and a transcript. Make it the last expression of a cell, or
    `display` it.

    Args:
        wave: Samples from -1 to 1; values outside are clipped.
        rate: Samples per second.
        name: A few words that distinguish this clip from the others in the chapter.
        transcript: What can be heard, in at most 300 characters: the words if it is
            speech, or a description.

    Raises:
        ValueError: If the wave is not one channel of finite samples, or a text is empty
            or too long.
    """

    def __init__(
        self, wave: "np.ndarray | Tensor", rate: int, name: str, transcript: str
    ) -> None:
        samples = torch.as_tensor(wave).detach().cpu().float()
        if samples.ndim != 1 or len(samples) == 0 or rate < 1:
            raise ValueError(
                "a sound needs one channel of samples and a positive rate, got shape "
                f"{tuple(samples.shape)} and {rate=}"
            )
        self.name = _checked_text("name", name, 80)
        self.transcript = _checked_text("transcript", transcript, LONGEST_TRANSCRIPT)
        self.seconds = len(samples) / rate
        if mp3_is_available():
            self.kind, self.content = "audio/mpeg", mp3_bytes(samples, rate)
        else:
            self.kind, self.content = "audio/wav", small_wav_bytes(samples, rate)

    @property
    def source(self) -> str:
        """The clip as a data URL."""
        return f"data:{self.kind};base64,{base64.b64encode(self.content).decode()}"

    def to_html(self) -> str:
        """Return the clip as self-contained HTML."""
        name, words = html.escape(self.name), html.escape(self.transcript)
        return (
            f'<figure class="genai-sound" style="{_CARD}">'
            '<figcaption style="margin: 0">'
            f"<strong>{name}</strong><br>{words}</figcaption>"
            f'<audio controls preload="none" aria-label="{name}" style="{_PLAYER}" '
            f'src="{self.source}"></audio></figure>'
        )

    def to_text(self) -> str:
        """Return the text for a terminal: duration, name and transcript."""
        return f"[Sound, {self.seconds:.1f} s: {self.name}. {self.transcript}]"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        return {"text/plain": self.to_text(), "text/html": self.to_html()}


class Sounds:
    """Several clips side by side, as many per row as fit.

    Args:
        sounds: The clips, in reading order.

    Raises:
        ValueError: If there are none, or two have the same name.
    """

    def __init__(self, sounds: Sequence[Sound]) -> None:
        names = [sound.name for sound in sounds]
        if not names or len(set(names)) < len(names):
            raise ValueError(
                "sounds need different names, so that a listener can tell them apart; "
                f"got {names}"
            )
        self.sounds = list(sounds)

    def to_html(self) -> str:
        """Return the clips as self-contained HTML."""
        clips = "\n".join(sound.to_html() for sound in self.sounds)
        return f'<div class="genai-sounds" style="{_ROW}">\n{clips}\n</div>'

    def to_text(self) -> str:
        """Return the text for a terminal: one line per clip."""
        return "\n".join(sound.to_text() for sound in self.sounds)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        return {"text/plain": self.to_text(), "text/html": self.to_html()}


def _checked_text(what: str, text: str, longest: int) -> str:
    text = " ".join(text.split())
    if not text or len(text) > longest:
        raise ValueError(
            f"{what} must have 1 to {longest} characters, got {len(text)}: "
            f"{text[:50]!r}; it is what is left for a reader who cannot hear the clip"
        )
    return text
