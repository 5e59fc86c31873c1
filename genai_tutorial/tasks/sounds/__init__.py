"""Captioned melodies: synthesized sounds with exact captions, and a verifier that reads
the attributes from the wave.
"""

from .listening import RATE, Heard, attributes_right, listen, play_melody
from .melodies import (
    CAPTIONS,
    NOTES,
    STREAM_VOCAB,
    WORDS,
    MelodyCaption,
    caption_tokens,
    draw_melodies,
    held_out_captions,
)
