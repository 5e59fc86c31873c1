"""Training: the loop, the optimisers and their schedules, batches, checkpoints, several processes at once."""

from genai_tutorial.training.adamw import AdamW
from genai_tutorial.training.adversarial import (
    AdversarialHistory,
    discriminator_step,
    draw_noise,
    fit_adversarial,
    generator_step,
)
from genai_tutorial.training.batches import TensorBatches, TokenBatches
from genai_tutorial.training.checkpoint import load_checkpoint, random_state, save_checkpoint, set_random_state
from genai_tutorial.training.device import choose_device
from genai_tutorial.training.distributed import Process, is_first_process, parallel, process_group, unwrap
from genai_tutorial.training.ema import EMA
from genai_tutorial.training.fit import Checkpoint, fit
from genai_tutorial.training.history import Evaluation, History
from genai_tutorial.training.muon import Muon, orthogonalise
from genai_tutorial.training.optimizers import (
    CombinedOptimizer,
    OptimizerSettings,
    build_optimizer,
    clip_gradients,
    parameter_groups,
)
from genai_tutorial.training.progress import progress_bar
from genai_tutorial.training.schedules import Schedule, warmup_cosine, warmup_linear
from genai_tutorial.training.seeds import seed_everything

__all__ = [
    "EMA",
    "AdamW",
    "AdversarialHistory",
    "Checkpoint",
    "CombinedOptimizer",
    "Evaluation",
    "History",
    "Muon",
    "OptimizerSettings",
    "Process",
    "Schedule",
    "TensorBatches",
    "TokenBatches",
    "build_optimizer",
    "choose_device",
    "clip_gradients",
    "discriminator_step",
    "draw_noise",
    "fit",
    "fit_adversarial",
    "generator_step",
    "is_first_process",
    "load_checkpoint",
    "orthogonalise",
    "parallel",
    "parameter_groups",
    "process_group",
    "progress_bar",
    "random_state",
    "save_checkpoint",
    "seed_everything",
    "set_random_state",
    "unwrap",
    "warmup_cosine",
    "warmup_linear",
]
