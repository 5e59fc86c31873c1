"""Encoding waves as sound files: MP3 if soundfile is installed, WAV always."""

import importlib.util
import io
import wave as wave_files
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from .files import write_atomically
from .machine import require

SOUND_FORMATS = (".mp3", ".wav")
"""The file name extensions that `write_sound` knows."""

SMALL_RATE = 8_000
"""The approximate sample rate of `small_wav_bytes`, in samples per second."""


def mp3_is_available() -> bool:
    """Return whether soundfile, which writes MP3, is installed."""
    return importlib.util.find_spec("soundfile") is not None


def mp3_bytes(wave: Float[Tensor, "sample"], rate: int) -> bytes:
    """Encode a wave as MP3 with variable bit rate: about 7 kB per second of speech. The
    same wave gives the same bytes.

    Args:
        wave: Samples; values outside -1 to 1 are clipped.
        rate: Samples per second; a rate that MP3 supports, such as 16,000 or 22,050.

    Raises:
        ImportError: If soundfile is not installed.
    """
    soundfile = require("soundfile", extra="audio")
    stream = io.BytesIO()
    soundfile.write(stream, _checked(wave).numpy(), rate, format="MP3")
    return stream.getvalue()


def wav_bytes(wave: Float[Tensor, "sample"], rate: int, bits: int = 16) -> bytes:
    """Encode a wave as WAV with 16 or 8 bits, which needs no optional package."""
    data = (_checked(wave) * 32767).round().to(torch.int16)
    if bits == 8:
        data = (_checked(wave) * 127 + 128).round().to(torch.uint8)
    stream = io.BytesIO()
    with wave_files.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(bits // 8)
        file.setframerate(rate)
        file.writeframes(data.numpy().astype(data.numpy().dtype.newbyteorder("<")))
    return stream.getvalue()


def small_wav_bytes(wave: Float[Tensor, "sample"], rate: int) -> bytes:
    """Encode a wave as WAV with 8 bits per sample and about 8,000 samples per second:
    8 kB per second, with less treble than MP3.

    Neighbouring samples are averaged, which suppresses most of the aliasing that
    dropping samples would cause.
    """
    every = max(1, round(rate / SMALL_RATE))
    length = len(wave) // every * every
    return wav_bytes(wave[:length].view(-1, every).mean(dim=1), rate // every, bits=8)


def write_sound(wave: Float[Tensor, "sample"], rate: int, path: Path) -> None:
    """Write a wave to an `.mp3` or `.wav` file atomically.

    Args:
        wave: Samples; values outside -1 to 1 are clipped.
        rate: Samples per second.
        path: The file; its extension decides the format.

    Raises:
        ValueError: If the file has another extension.
        ImportError: If the file is an MP3 and soundfile is not installed.
    """
    ending = path.suffix.lower()
    if ending not in SOUND_FORMATS:
        raise ValueError(
            f"A sound must end in {' or '.join(SOUND_FORMATS)}, got {path.name}."
        )
    content = mp3_bytes(wave, rate) if ending == ".mp3" else wav_bytes(wave, rate)
    with write_atomically(path) as file:
        file.write(content)


def _checked(wave: Tensor) -> Tensor:
    wave = wave.detach().cpu().float()
    if len(wave) == 0 or not wave.isfinite().all():
        raise ValueError(
            f"a sound needs at least one sample and only finite ones, got {len(wave)} "
            f"samples of which {int((~wave.isfinite()).sum())} are not finite"
        )
    return wave.clamp(-1, 1)
