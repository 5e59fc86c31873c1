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

from .flow_matching import StraightPath, flow_euler
from .likelihood import ode_log_prob
from .loss import diffusion_loss
from .networks.condition import Condition, TextCondition, drop_labels
from .networks.dit import DiT, DiTBlock, DiTConfig
from .networks.time_embedding import sinusoidal_features
from .networks.unet import UNet, UNetConfig
from .networks.unet_blocks import TextAttention
from .noise_path import NoiseLevel, NoisePath, Timestep
from .pipeline import Conditions, Decode, sample_images
from .prediction import (
    FLOW,
    IMAGE,
    NOISE,
    VELOCITY,
    Denoised,
    Prediction,
    Target,
    ToDenoised,
    denoised_from_velocity,
)
from .samplers.ddim import ddim
from .samplers.ddpm import Posterior, ddpm, posterior
from .samplers.denoiser import Denoise, Denoiser, Model
from .samplers.dpm_solver import dpm_solver
from .samplers.editing import KnownRegion, partly_noised
from .samplers.guidance import Guided, Weight, classifier_free_guidance
from .samplers.sampling import Sampler, Step, last_sample
from .schedule import (
    NoiseSchedule,
    cosine_schedule,
    linear_schedule,
    scaled_linear_schedule,
    zero_terminal_snr,
)
