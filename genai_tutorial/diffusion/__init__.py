"""Diffusion: add noise to an image step by step, learn to remove it, and draw images
from noise alone.

Read `schedule`, `prediction` and `loss`, which every model of this room has in common,
then `samplers`. Any sampler works with any model, on points, pixels or latent codes.
`masked` is the diffusion of tokens, and `unmasking` draws texts with it. `control` adds
an image as a second condition to a trained U-Net.
"""

from .condition import Condition, TextCondition, drop_labels, sinusoidal_features
from .control import ControlNet
from .dit import DiT, DiTBlock, DiTConfig
from .flow_matching import (
    AverageVelocity,
    StraightPath,
    flow_euler,
    mean_flow,
    mean_flow_loss,
)
from .guidance import (
    GuidanceWeight,
    Guided,
    KnownRegion,
    classifier_free_guidance,
    partly_noised,
)
from .likelihood import ode_log_prob
from .loss import diffusion_loss
from .masked import (
    FillingOrder,
    TokenModel,
    likelihood_bound,
    mask_counts,
    mask_tokens,
    masked_loss,
    nats_in_order,
    token_log_probabilities,
)
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
from .samplers import (
    Denoise,
    Denoiser,
    Model,
    Posterior,
    Sampler,
    Step,
    ddim,
    ddpm,
    dpm_solver,
    last_sample,
    posterior,
)
from .schedule import (
    NoiseLevel,
    NoisePath,
    NoiseSchedule,
    Timestep,
    cosine_schedule,
    linear_schedule,
    scaled_linear_schedule,
    zero_terminal_snr,
)
from .unet import Residuals, UNet, UNetConfig
from .unet_blocks import TextAttention
from .unmasking import (
    EntropyBound,
    Quota,
    Threshold,
    Unmasked,
    UnmaskingRule,
    unmask,
)
