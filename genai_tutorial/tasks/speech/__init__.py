"""The speech task: captions and digits spoken by many voices, non-speech sounds,
batches of their spectrograms, and single digits as images.
"""

from genai_tutorial.tasks.speech.aligned import (
    AlignedBatches,
    AlignedSpeech,
    align,
    pad_aligned,
)
from genai_tutorial.tasks.speech.batches import (
    SpeechBatches,
    pad_recordings,
)
from genai_tutorial.tasks.speech.non_speech import (
    TAUGHT,
    NonSpeech,
    draw_non_speech,
)
from genai_tutorial.tasks.speech.recordings import (
    MELS,
    Recordings,
    draw_utterances,
    encode_transcripts,
    load_recordings,
    record_non_speech,
)
from genai_tutorial.tasks.speech.sentences import (
    DIGITS,
    SPEECH_WORDS,
    draw_sentences,
    is_caption,
    is_held_out,
)
from genai_tutorial.tasks.speech.spoken_digits import (
    DIGIT_COLUMNS,
    DIGIT_MELS,
    SpokenDigits,
    digit_images,
    digit_waves,
    draw_spoken_digits,
)
from genai_tutorial.tasks.speech.voices import (
    HELD_OUT_SPEAKERS,
    SPEAKERS,
    draw_voices,
)

__all__ = [
    "DIGITS",
    "DIGIT_COLUMNS",
    "DIGIT_MELS",
    "HELD_OUT_SPEAKERS",
    "MELS",
    "SPEAKERS",
    "SPEECH_WORDS",
    "TAUGHT",
    "AlignedBatches",
    "AlignedSpeech",
    "NonSpeech",
    "Recordings",
    "SpeechBatches",
    "SpokenDigits",
    "align",
    "digit_images",
    "digit_waves",
    "draw_non_speech",
    "draw_sentences",
    "draw_spoken_digits",
    "draw_utterances",
    "draw_voices",
    "encode_transcripts",
    "is_caption",
    "is_held_out",
    "load_recordings",
    "pad_aligned",
    "pad_recordings",
    "record_non_speech",
]
