"""The motion task: captioned clips of a moving shape, and a verifier that reads colour,
shape, size, direction and speed from the frames.
"""

from genai_tutorial.tasks.motion.clips import (
    FRAMES,
    MOTIONS,
    SPEEDS,
    STEPS,
    Clip,
    Direction,
    Motion,
    MotionDescription,
    Speed,
    motion_caption_words,
    parse_motion_caption,
)
from genai_tutorial.tasks.motion.random_clips import (
    HELD_OUT_MOTIONS,
    CaptionedClips,
    load_clips,
    random_clips,
    render_clips,
)
from genai_tutorial.tasks.motion.tokens import (
    MOTION_CAPTION_LENGTH,
    MOTION_TOKENIZER,
    MOVES_TOKEN,
    encode_motion_captions,
)
from genai_tutorial.tasks.motion.verifier import (
    MOST_JITTER,
    MotionAccuracy,
    MotionScore,
    Track,
    average_scores,
    fit_line,
    motion_accuracy,
    motion_scores,
    track,
)

__all__ = [
    "FRAMES",
    "HELD_OUT_MOTIONS",
    "MOST_JITTER",
    "MOTIONS",
    "MOTION_CAPTION_LENGTH",
    "MOTION_TOKENIZER",
    "MOVES_TOKEN",
    "SPEEDS",
    "STEPS",
    "CaptionedClips",
    "Clip",
    "Direction",
    "Motion",
    "MotionAccuracy",
    "MotionDescription",
    "MotionScore",
    "Speed",
    "Track",
    "average_scores",
    "encode_motion_captions",
    "fit_line",
    "load_clips",
    "motion_accuracy",
    "motion_caption_words",
    "motion_scores",
    "parse_motion_caption",
    "random_clips",
    "render_clips",
    "track",
]
