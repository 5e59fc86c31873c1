"""The speech task: captions and digits spoken by many voices, non-speech sounds,
batches of their spectrograms, and single digits as images.
"""

from .aligned import AlignedBatch, AlignedBatches, AlignedSpeech, align, pad_aligned
from .batches import SpeechBatches
from .non_speech import NonSpeech, draw_non_speech
from .recordings import (
    MELS,
    Recordings,
    draw_utterances,
    encode_transcripts,
    load_recordings,
    record_non_speech,
)
from .sentences import DIGITS, SPEECH_WORDS, draw_sentences, is_caption
from .spoken_digits import SpokenDigits, digit_images, digit_waves, draw_spoken_digits
from .voices import draw_voices
