"""Sounds: waves, spectrograms, codes and the models that read and make them.

Read `spectrogram` (the short-time Fourier transform), `mel` (its picture in bands) and
`griffin_lim` (back to a wave). `sound_files` writes waves to files.
"""

from genai_tutorial.audio.codebook_pattern import (
    CodebookPattern,
    column_steps,
    delay,
    undelay,
)
from genai_tutorial.audio.griffin_lim import (
    griffin_lim,
    mel_to_wave,
    spectral_convergence,
)
from genai_tutorial.audio.mel import (
    LOWEST_MAGNITUDE,
    MelConfig,
    hertz_to_mel,
    log_mel_spectrogram,
    mel_filter_bank,
    mel_spectrogram,
    mel_to_hertz,
    whisper_features,
)
from genai_tutorial.audio.multi_stream import (
    MultiStreamConfig,
    MultiStreamLM,
    column_features,
    multi_stream_loss,
    stream_losses,
    stream_targets,
)
from genai_tutorial.audio.sound_files import (
    SOUND_FORMATS,
    mp3_bytes,
    mp3_is_available,
    small_wav_bytes,
    wav_bytes,
    write_sound,
)
from genai_tutorial.audio.spectrogram import (
    discrete_fourier_transform,
    inverse_short_time_fourier_transform,
    short_time_fourier_transform,
)
from genai_tutorial.audio.stream_sampling import (
    UNKNOWN,
    sample_streams,
)
from genai_tutorial.audio.synthesizer import (
    ORGAN,
    SAWTOOTH,
    SINE,
    SQUARE,
    PlayedNote,
    frequency,
    synthesize,
)

__all__ = [
    "LOWEST_MAGNITUDE",
    "ORGAN",
    "SAWTOOTH",
    "SINE",
    "SOUND_FORMATS",
    "SQUARE",
    "UNKNOWN",
    "CodebookPattern",
    "MelConfig",
    "MultiStreamConfig",
    "MultiStreamLM",
    "PlayedNote",
    "column_features",
    "column_steps",
    "delay",
    "discrete_fourier_transform",
    "frequency",
    "griffin_lim",
    "hertz_to_mel",
    "inverse_short_time_fourier_transform",
    "log_mel_spectrogram",
    "mel_filter_bank",
    "mel_spectrogram",
    "mel_to_hertz",
    "mel_to_wave",
    "mp3_bytes",
    "mp3_is_available",
    "multi_stream_loss",
    "sample_streams",
    "short_time_fourier_transform",
    "small_wav_bytes",
    "spectral_convergence",
    "stream_losses",
    "stream_targets",
    "synthesize",
    "undelay",
    "wav_bytes",
    "whisper_features",
    "write_sound",
]
