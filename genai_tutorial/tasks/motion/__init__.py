"""The motion task: captioned clips of a moving shape, and a verifier that reads colour,
shape, size, direction and speed from the frames.

Read `clips`, then `verifier`.
"""

from .clips import (
    FRAMES,
    MOTION_SOURCE,
    MOTION_TOKENIZER,
    MOTIONS,
    MOVES_TOKEN,
    CaptionedClips,
    Clip,
    ClipSplit,
    Direction,
    Motion,
    Speed,
    encode_motion_captions,
    load_clips,
    random_clips,
    render_clips,
)
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
