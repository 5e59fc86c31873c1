"""Video: an image model inflated to video by attention over frames, text to video, and
the cost of attention over space and time.
"""

from genai_tutorial.video.costs import (
    VideoSize,
    factorized_multiplications,
    joint_multiplications,
)
from genai_tutorial.video.displacement import Displacement, move_frames
from genai_tutorial.video.frame_embedding import (
    FrameEmbedding,
    MotionEncoder,
    frame_times,
)
from genai_tutorial.video.known_frames import KnownFrames, draw_known_frames
from genai_tutorial.video.motion_module import MotionModule
from genai_tutorial.video.temporal import SpaceTimeAttention, TemporalAttention
from genai_tutorial.video.text_to_video import TextToVideo
from genai_tutorial.video.timesteps import logit_normal_timesteps
from genai_tutorial.video.video_unet import VideoUNet, VideoUNetConfig

__all__ = [
    "Displacement",
    "FrameEmbedding",
    "KnownFrames",
    "MotionEncoder",
    "MotionModule",
    "SpaceTimeAttention",
    "TemporalAttention",
    "TextToVideo",
    "VideoSize",
    "VideoUNet",
    "VideoUNetConfig",
    "draw_known_frames",
    "factorized_multiplications",
    "frame_times",
    "joint_multiplications",
    "logit_normal_timesteps",
    "move_frames",
]
