"""The motion task: captioned clips of a moving shape, and a verifier that reads colour,
shape, size, direction and speed from the frames.
"""

from .clips import FRAMES, MOTIONS, Clip, Direction, Motion, Speed
from .random_clips import (
    SOURCE,
    CaptionedClips,
    ClipSplit,
    load_clips,
    random_clips,
    render_clips,
)
from .tokens import MOTION_TOKENIZER, MOVES_TOKEN, encode_motion_captions
from .verifier import (
    MotionAccuracy,
    MotionScore,
    Track,
    average_scores,
    fit_line,
    motion_accuracy,
    motion_scores,
    track,
)
