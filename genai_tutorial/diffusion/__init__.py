"""Diffusion: noise an image step by step, learn to take the noise away, and draw images
from nothing but noise.

Read `schedule`, `prediction`, `denoiser` and `loss`, which every model of this room has
in common. Then the samplers: `ddpm`, `ddim`, `probability_flow`, `dpm_solver`, and
`flow_matching` with its own path. `guidance` and `editing` change what is drawn. Any
sampler drives any model, on points, pixels or latent codes.

The networks: `time_embedding`, `unet_blocks` and `unet`; `patches` and `dit`;
`condition` for what images should show.
"""

from genai_tutorial.diffusion.condition import (
    Condition,
    LabelEmbedding,
    TextCondition,
    TextEmbedding,
    drop_labels,
)
from genai_tutorial.diffusion.ddim import ddim
from genai_tutorial.diffusion.ddpm import Posterior, ddpm, posterior
from genai_tutorial.diffusion.denoiser import Denoise, Denoiser, Model
from genai_tutorial.diffusion.dit import AdaptiveNorm, DiT, DiTBlock, DiTConfig
from genai_tutorial.diffusion.dpm_solver import dpm_solver
from genai_tutorial.diffusion.editing import KnownRegion, partly_noised
from genai_tutorial.diffusion.flow_matching import StraightPath, flow_euler, flow_heun
from genai_tutorial.diffusion.guidance import Guided, classifier_free_guidance
from genai_tutorial.diffusion.likelihood import ode_log_prob
from genai_tutorial.diffusion.loss import diffusion_loss
from genai_tutorial.diffusion.patches import grid_positions, patchify, unpatchify
from genai_tutorial.diffusion.prediction import (
    FLOW,
    IMAGE,
    NOISE,
    VELOCITY,
    Denoised,
    Prediction,
)
from genai_tutorial.diffusion.probability_flow import euler, heun, karras_times
from genai_tutorial.diffusion.sampling import Step, final
from genai_tutorial.diffusion.schedule import (
    Level,
    NoiseSchedule,
    Path,
    cosine_schedule,
    linear_schedule,
    scaled_linear_schedule,
    zero_terminal_snr,
)
from genai_tutorial.diffusion.time_embedding import TimeEmbedding, sinusoidal_features
from genai_tutorial.diffusion.unet import UNet, UNetConfig
from genai_tutorial.diffusion.unet_blocks import (
    BottomBlock,
    PixelAttention,
    ResidualBlock,
    TextAttention,
)

__all__ = [
    "FLOW",
    "IMAGE",
    "NOISE",
    "VELOCITY",
    "AdaptiveNorm",
    "BottomBlock",
    "Condition",
    "Denoise",
    "Denoised",
    "Denoiser",
    "DiT",
    "DiTBlock",
    "DiTConfig",
    "Guided",
    "KnownRegion",
    "LabelEmbedding",
    "Level",
    "Model",
    "NoiseSchedule",
    "Path",
    "PixelAttention",
    "Posterior",
    "Prediction",
    "ResidualBlock",
    "Step",
    "StraightPath",
    "TextAttention",
    "TextCondition",
    "TextEmbedding",
    "TimeEmbedding",
    "UNet",
    "UNetConfig",
    "classifier_free_guidance",
    "cosine_schedule",
    "ddim",
    "ddpm",
    "diffusion_loss",
    "dpm_solver",
    "drop_labels",
    "euler",
    "final",
    "flow_euler",
    "flow_heun",
    "grid_positions",
    "heun",
    "karras_times",
    "linear_schedule",
    "ode_log_prob",
    "partly_noised",
    "patchify",
    "posterior",
    "scaled_linear_schedule",
    "sinusoidal_features",
    "unpatchify",
    "zero_terminal_snr",
]
