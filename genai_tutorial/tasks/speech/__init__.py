"""The speech task: captions and digits spoken by many voices, and sounds that are no
speech.

Read `recordings`, then `batches`: batches of their spectrograms, and single digits as
images.
"""

from .batches import (
    AlignedBatch,
    AlignedBatches,
    AlignedSpeech,
    SpeechBatches,
    SpokenDigits,
    align,
    digit_images,
    digit_waves,
    draw_spoken_digits,
    pad_aligned,
)
from .recordings import (
    DIGITS,
    MELS,
    SPEECH_WORDS,
    NonSpeech,
    Recordings,
    draw_non_speech,
    draw_sentences,
    draw_utterances,
    draw_voices,
    encode_transcripts,
    is_caption,
    load_recordings,
    record_non_speech,
)
