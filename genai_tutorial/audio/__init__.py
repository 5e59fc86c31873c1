"""Audio: waves, spectrograms and codes, and models for speech and music.

Start with `spectrogram` (the short-time Fourier transform), `mel` (the spectrogram in
mel bands) and `griffin_lim` (from a spectrogram back to a wave). `codebook_pattern`,
`multi_stream` and `stream_sampling` model several streams of codes at once, and
`synthesizer` plays notes. `ctc`, `speech_encoder` and `transcriber` recognize speech;
`speech_synthesis` and `text_to_speech` synthesize it. `seanet` and `wave_codec` are a
neural codec for waves. `sound_files` writes waves to files.
"""

from genai_tutorial.audio.codebook_pattern import (
    CodebookPattern,
    column_steps,
    delay,
    undelay,
)
from genai_tutorial.audio.ctc import (
    best_alignment,
    collapse,
    ctc_loss,
    ctc_probability,
    greedy_decode,
)
from genai_tutorial.audio.griffin_lim import (
    griffin_lim,
    mel_to_wave,
    spectral_convergence,
)
from genai_tutorial.audio.lexicon import PAUSE, Lexicon
from genai_tutorial.audio.listen_and_write import (
    CrossAttentionBlock,
    ListenAndWrite,
    ListenAndWriteConfig,
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
from genai_tutorial.audio.prefix_beam import (
    BigramModel,
    LanguageModel,
    prefix_beam_search,
)
from genai_tutorial.audio.seanet import SeanetConfig, SeanetDecoder, SeanetEncoder
from genai_tutorial.audio.sound_files import (
    SOUND_FORMATS,
    mp3_bytes,
    mp3_is_available,
    small_wav_bytes,
    wav_bytes,
    write_sound,
)
from genai_tutorial.audio.spec_augment import mask_spectrograms
from genai_tutorial.audio.spectrogram import (
    discrete_fourier_transform,
    inverse_short_time_fourier_transform,
    short_time_fourier_transform,
)
from genai_tutorial.audio.speech_encoder import (
    RecognizerConfig,
    SpeechBlock,
    SpeechRecognizer,
    output_frames,
    recognition_loss,
)
from genai_tutorial.audio.speech_synthesis import (
    SpeechSynthesizer,
    SynthesizerConfig,
    length_regulator,
    synthesis_loss,
)
from genai_tutorial.audio.stream_sampling import UNKNOWN, sample_streams
from genai_tutorial.audio.synthesizer import (
    ORGAN,
    SAWTOOTH,
    SINE,
    SQUARE,
    PlayedNote,
    frequency,
    synthesize,
)
from genai_tutorial.audio.text_to_speech import TextToSpeech
from genai_tutorial.audio.transcriber import Transcriber
from genai_tutorial.audio.wave_codec import (
    CodedWaves,
    WaveCodec,
    WaveCodecConfig,
    log_mel_distance,
    wave_codec_loss,
)

__all__ = [
    "LOWEST_MAGNITUDE",
    "ORGAN",
    "PAUSE",
    "SAWTOOTH",
    "SINE",
    "SOUND_FORMATS",
    "SQUARE",
    "UNKNOWN",
    "BigramModel",
    "CodebookPattern",
    "CodedWaves",
    "CrossAttentionBlock",
    "LanguageModel",
    "Lexicon",
    "ListenAndWrite",
    "ListenAndWriteConfig",
    "MelConfig",
    "MultiStreamConfig",
    "MultiStreamLM",
    "PlayedNote",
    "RecognizerConfig",
    "SeanetConfig",
    "SeanetDecoder",
    "SeanetEncoder",
    "SpeechBlock",
    "SpeechRecognizer",
    "SpeechSynthesizer",
    "SynthesizerConfig",
    "TextToSpeech",
    "Transcriber",
    "WaveCodec",
    "WaveCodecConfig",
    "best_alignment",
    "collapse",
    "column_features",
    "column_steps",
    "ctc_loss",
    "ctc_probability",
    "delay",
    "discrete_fourier_transform",
    "frequency",
    "greedy_decode",
    "griffin_lim",
    "hertz_to_mel",
    "inverse_short_time_fourier_transform",
    "length_regulator",
    "log_mel_distance",
    "log_mel_spectrogram",
    "mask_spectrograms",
    "mel_filter_bank",
    "mel_spectrogram",
    "mel_to_hertz",
    "mel_to_wave",
    "mp3_bytes",
    "mp3_is_available",
    "multi_stream_loss",
    "output_frames",
    "prefix_beam_search",
    "recognition_loss",
    "sample_streams",
    "short_time_fourier_transform",
    "small_wav_bytes",
    "spectral_convergence",
    "stream_losses",
    "stream_targets",
    "synthesis_loss",
    "synthesize",
    "undelay",
    "wav_bytes",
    "wave_codec_loss",
    "whisper_features",
    "write_sound",
]
