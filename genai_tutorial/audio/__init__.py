"""Audio: waves, spectrograms and codes, and models for speech and music.

Start with `spectrogram`. `codebook_pattern` and `multi_stream` model several streams of
codes at once, and `synthesizer` plays notes. `ctc` and `recognizer` recognize speech,
`speech_synthesis` synthesizes it, and `wave_codec` is a neural codec.
"""

from .codebook_pattern import CodebookPattern, delay
from .ctc import (
    PAUSE,
    LanguageModel,
    Lexicon,
    best_alignment,
    collapse,
    ctc_probability,
    prefix_beam_search,
)
from .listen_and_write import ListenAndWrite, ListenAndWriteConfig
from .multi_stream import (
    UNKNOWN,
    MultiStreamConfig,
    MultiStreamLM,
    multi_stream_loss,
    sample_streams,
    stream_losses,
)
from .recognizer import (
    RecognizerConfig,
    SpeechRecognizer,
    Transcriber,
    recognition_loss,
)
from .spectrogram import (
    MelConfig,
    griffin_lim,
    log_mel_spectrogram,
    mel_to_wave,
    short_time_fourier_transform,
    spectral_convergence,
    whisper_features,
)
from .speech_synthesis import (
    SpeechSynthesizer,
    SynthesizerConfig,
    TextToSpeech,
    length_regulator,
    synthesis_loss,
)
from .synthesizer import ORGAN, SAWTOOTH, SINE, SQUARE, PlayedNote, synthesize
from .wave_codec import (
    CodedWaves,
    SeanetConfig,
    WaveCodec,
    WaveCodecConfig,
    log_mel_distance,
    wave_codec_loss,
)
