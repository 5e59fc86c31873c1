"""Diffusion: add noise to an image step by step, learn to remove it, and draw images
from noise alone.

Read `schedule`, `prediction`, `samplers.denoiser` and `loss`, which every model of this
room has in common. Then `samplers`: `ddpm`, `ddim`, `probability_flow`, `dpm_solver`,
and `flow_matching` with its own path. `guidance` and `editing` change what is drawn,
and `pipeline` puts it all together. Any sampler works with any model, on points, pixels
or latent codes.

`networks`: `time_embedding`, `unet_blocks` and `unet`; `patches` and `dit`; `condition`
for labels and texts.
"""

from genai_tutorial.diffusion.flow_matching import StraightPath, flow_euler, flow_heun
from genai_tutorial.diffusion.likelihood import ode_log_prob
from genai_tutorial.diffusion.loss import diffusion_loss
from genai_tutorial.diffusion.networks.condition import (
    Condition,
    LabelEmbedding,
    TextCondition,
    TextEmbedding,
    drop_labels,
)
from genai_tutorial.diffusion.networks.dit import AdaptiveNorm, DiT, DiTBlock, DiTConfig
from genai_tutorial.diffusion.networks.patches import (
    grid_positions,
    patchify,
    unpatchify,
)
from genai_tutorial.diffusion.networks.time_embedding import (
    TimeEmbedding,
    sinusoidal_features,
)
from genai_tutorial.diffusion.networks.unet import UNet, UNetConfig
from genai_tutorial.diffusion.networks.unet_blocks import (
    MiddleBlock,
    PixelAttention,
    ResidualBlock,
    TextAttention,
)
from genai_tutorial.diffusion.noise_path import NoiseLevel, NoisePath
from genai_tutorial.diffusion.pipeline import sample_images
from genai_tutorial.diffusion.prediction import (
    FLOW,
    IMAGE,
    NOISE,
    VELOCITY,
    Denoised,
    Prediction,
    denoised_from_velocity,
)
from genai_tutorial.diffusion.samplers.ddim import ddim
from genai_tutorial.diffusion.samplers.ddpm import Posterior, ddpm, posterior
from genai_tutorial.diffusion.samplers.denoiser import Denoise, Denoiser, Model
from genai_tutorial.diffusion.samplers.dpm_solver import dpm_solver
from genai_tutorial.diffusion.samplers.editing import KnownRegion, partly_noised
from genai_tutorial.diffusion.samplers.guidance import Guided, classifier_free_guidance
from genai_tutorial.diffusion.samplers.probability_flow import (
    euler,
    heun,
    karras_timesteps,
)
from genai_tutorial.diffusion.samplers.sampling import Sampler, Step, last_sample
from genai_tutorial.diffusion.schedule import (
    NoiseSchedule,
    cosine_schedule,
    linear_schedule,
    scaled_linear_schedule,
    zero_terminal_snr,
)

__all__ = [
    "FLOW",
    "IMAGE",
    "NOISE",
    "VELOCITY",
    "AdaptiveNorm",
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
    "MiddleBlock",
    "Model",
    "NoiseLevel",
    "NoisePath",
    "NoiseSchedule",
    "PixelAttention",
    "Posterior",
    "Prediction",
    "ResidualBlock",
    "Sampler",
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
    "denoised_from_velocity",
    "diffusion_loss",
    "dpm_solver",
    "drop_labels",
    "euler",
    "flow_euler",
    "flow_heun",
    "grid_positions",
    "heun",
    "karras_timesteps",
    "last_sample",
    "linear_schedule",
    "ode_log_prob",
    "partly_noised",
    "patchify",
    "posterior",
    "sample_images",
    "scaled_linear_schedule",
    "sinusoidal_features",
    "unpatchify",
    "zero_terminal_snr",
]
