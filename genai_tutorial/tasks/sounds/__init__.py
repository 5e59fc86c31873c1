"""Captioned melodies: synthesized sounds with exact captions, and a verifier that reads
the attributes from the wave.
"""

from genai_tutorial.tasks.sounds.listening import (
    RATE,
    Heard,
    attributes_right,
    listen,
    play_melody,
)
from genai_tutorial.tasks.sounds.melodies import (
    CAPTIONS,
    NOTES,
    STREAM_VOCAB,
    WORDS,
    MelodyCaption,
    caption_tokens,
    draw_melodies,
    held_out_captions,
)
from genai_tutorial.tasks.sounds.melody_model import (
    MELODY_CONFIG,
    seen_captions,
    train_melody_model,
    write_melodies,
)

__all__ = [
    "CAPTIONS",
    "MELODY_CONFIG",
    "NOTES",
    "RATE",
    "STREAM_VOCAB",
    "WORDS",
    "Heard",
    "MelodyCaption",
    "attributes_right",
    "caption_tokens",
    "draw_melodies",
    "held_out_captions",
    "listen",
    "play_melody",
    "seen_captions",
    "train_melody_model",
    "write_melodies",
]
