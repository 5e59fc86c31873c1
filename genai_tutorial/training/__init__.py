"""Training: the step and the loop, optimizers and schedules, batches, checkpoints,
data parallelism, and private training.
"""

from .accountant import epsilon
from .adamw import AdamW
from .adversarial import (
    AdversarialHistory,
    Penalty,
    discriminator_step,
    draw_noise,
    fit_adversarial,
    generator_step,
)
from .batches import TensorBatches, TokenBatches
from .checkpoint import load_checkpoint, save_checkpoint
from .distributed import Process, parallel, process_group, unwrap
from .ema import EMA
from .fit import fit
from .history import Evaluation, History
from .mixed_precision import in_bfloat16
from .muon import Muon
from .optimizers import (
    CombinedOptimizer,
    OptimizerSettings,
    build_optimizer,
    clip_gradients,
    parameter_groups,
)
from .private import (
    Gradients,
    PrivacySettings,
    PrivateHistory,
    clip_and_noise,
    fit_privately,
    per_sample_gradients,
    poisson_sample,
)
from .ring import ring_attention
from .run_state import Checkpoint, RunState
from .scaling_laws import Allocation, PowerLaw, compute_optimal, fit_power_law
from .schedules import (
    Decay,
    Schedule,
    scale_learning_rates,
    warmup_constant,
    warmup_cosine,
    warmup_linear,
    warmup_stable_decay,
)
from .train_step import train_step
