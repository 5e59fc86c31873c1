"""Diffusion: noise an image step by step, learn to take the noise away, and draw images from nothing but noise.

Read `schedule`, `prediction`, `denoiser` and `loss`, which every model of this room has in common. Then the samplers:
`ddpm`, `ddim`, `probability_flow`, `dpm_solver`, and `flow_matching` with its own path. `guidance` and `editing` change
what is drawn. Any sampler drives any model, on points, pixels or latent codes.
"""

from genai_tutorial.diffusion.ddim import ddim
from genai_tutorial.diffusion.ddpm import Posterior, ddpm, posterior
from genai_tutorial.diffusion.denoiser import Denoise, Denoiser, Model
from genai_tutorial.diffusion.dpm_solver import dpm_solver
from genai_tutorial.diffusion.editing import KnownRegion
from genai_tutorial.diffusion.flow_matching import StraightPath, flow_euler, flow_heun
from genai_tutorial.diffusion.guidance import Guided, classifier_free_guidance
from genai_tutorial.diffusion.loss import diffusion_loss
from genai_tutorial.diffusion.prediction import FLOW, IMAGE, NOISE, VELOCITY, Denoised, Prediction
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

__all__ = [
    "FLOW",
    "IMAGE",
    "NOISE",
    "VELOCITY",
    "Denoise",
    "Denoised",
    "Denoiser",
    "Guided",
    "KnownRegion",
    "Level",
    "Model",
    "NoiseSchedule",
    "Path",
    "Posterior",
    "Prediction",
    "Step",
    "StraightPath",
    "classifier_free_guidance",
    "cosine_schedule",
    "ddim",
    "ddpm",
    "diffusion_loss",
    "dpm_solver",
    "euler",
    "final",
    "flow_euler",
    "flow_heun",
    "heun",
    "karras_times",
    "linear_schedule",
    "posterior",
    "scaled_linear_schedule",
    "zero_terminal_snr",
]
