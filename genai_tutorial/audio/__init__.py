"""Audio: waves, spectrograms and codes, and models for speech and music.

Start with `spectrogram` (the short-time Fourier transform), `mel` (the spectrogram in
mel bands) and `griffin_lim` (from a spectrogram back to a wave). `codebook_pattern`,
`multi_stream` and `stream_sampling` model several streams of codes at once, and
`synthesizer` plays notes. `ctc`, `speech_encoder` and `transcriber` recognize speech;
`speech_synthesis` and `text_to_speech` synthesize it. `seanet` and `wave_codec` are a
neural codec for waves. `sound_files` writes waves to files.
"""

from .codebook_pattern import CodebookPattern, delay
from .ctc import best_alignment, collapse, ctc_probability
from .griffin_lim import griffin_lim, mel_to_wave, spectral_convergence
from .lexicon import PAUSE, Lexicon
from .listen_and_write import ListenAndWrite, ListenAndWriteConfig
from .mel import MelConfig, log_mel_spectrogram, whisper_features
from .multi_stream import (
    MultiStreamConfig,
    MultiStreamLM,
    multi_stream_loss,
    stream_losses,
)
from .prefix_beam import BigramModel, LanguageModel, prefix_beam_search
from .seanet import SeanetConfig
from .sound_files import (
    SOUND_FORMATS,
    mp3_bytes,
    mp3_is_available,
    small_wav_bytes,
    write_sound,
)
from .spectrogram import short_time_fourier_transform
from .speech_encoder import RecognizerConfig, SpeechRecognizer, recognition_loss
from .speech_synthesis import (
    SpeechSynthesizer,
    SynthesizerConfig,
    length_regulator,
    synthesis_loss,
)
from .stream_sampling import UNKNOWN, sample_streams
from .synthesizer import ORGAN, SAWTOOTH, SINE, SQUARE, PlayedNote, synthesize
from .text_to_speech import TextToSpeech
from .transcriber import Transcriber
from .wave_codec import (
    CodedWaves,
    WaveCodec,
    WaveCodecConfig,
    log_mel_distance,
    wave_codec_loss,
)
