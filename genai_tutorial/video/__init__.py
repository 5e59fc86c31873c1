"""Video: an image model inflated to video by attention over frames, text to video, and
the cost of attention over space and time.
"""

from .costs import VideoSize, factorized_multiplications, joint_multiplications
from .displacement import Displacement, move_frames
from .known_frames import KnownFrames, draw_known_frames
from .motion_module import MotionModule
from .temporal import TemporalAttention
from .text_to_video import TextToVideo
from .timesteps import logit_normal_timesteps
from .video_unet import VideoUNetConfig
