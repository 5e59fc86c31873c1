"""Video: an image model inflated to video by attention over frames, text to video, and
the cost of attention over space and time.
"""

from .costs import VideoSize, factorized_multiplications, joint_multiplications
from .temporal import MotionModule, TemporalAttention, move_frames
from .text_to_video import KnownFrames, TextToVideo, draw_known_frames
from .video_unet import VideoUNetConfig, logit_normal_timesteps
