"""Captioned melodies: synthesized sounds with exact captions, and a verifier that reads
the attributes from the wave.
"""

from .melodies import (
    CAPTIONS,
    NOTES,
    RATE,
    STREAM_VOCAB,
    WORDS,
    Heard,
    MelodyCaption,
    attributes_right,
    caption_tokens,
    draw_melodies,
    held_out_captions,
    listen,
    play_melody,
)
