"""Captioned melodies: synthesized sounds with exact captions, and a verifier that reads
the attributes from the wave.
"""

from .listening import Heard, attributes_right, listen, play_melody
from .melodies import CAPTIONS, MelodyCaption, draw_melodies, held_out_captions
from .melody_model import seen_captions, train_melody_model, write_melodies
