"""Training: the step and the loop, optimizers and schedules, batches, checkpoints,
data parallelism, and private training.
"""

from genai_tutorial.training.accountant import (
    epsilon,
    renyi_divergence_of_sampled_gaussian,
)
from genai_tutorial.training.accumulation import accumulated_train_step
from genai_tutorial.training.adamw import AdamW
from genai_tutorial.training.adversarial import (
    AdversarialHistory,
    discriminator_step,
    draw_noise,
    fit_adversarial,
    generator_step,
)
from genai_tutorial.training.batches import TensorBatches, TokenBatches
from genai_tutorial.training.checkpoint import load_checkpoint, save_checkpoint
from genai_tutorial.training.distributed import (
    Process,
    is_first_process,
    parallel,
    process_group,
    unwrap,
)
from genai_tutorial.training.ema import EMA
from genai_tutorial.training.fit import fit
from genai_tutorial.training.fsdp import ShardedCheckpoint, shard
from genai_tutorial.training.history import Evaluation, History
from genai_tutorial.training.mixed_precision import in_bfloat16
from genai_tutorial.training.muon import Muon, orthogonalize
from genai_tutorial.training.noise_scale import GradientNoise, gradient_noise
from genai_tutorial.training.optimizers import (
    CombinedOptimizer,
    OptimizerSettings,
    build_optimizer,
    clip_gradients,
    parameter_groups,
)
from genai_tutorial.training.private import (
    PrivacySettings,
    PrivateHistory,
    clip_and_noise,
    fit_privately,
    gradient_norms,
    per_sample_gradients,
    poisson_sample,
)
from genai_tutorial.training.recomputing import kept_bytes, recompute
from genai_tutorial.training.ring import ring_attention
from genai_tutorial.training.run_state import Checkpoint
from genai_tutorial.training.scaling_laws import (
    Allocation,
    PowerLaw,
    compute_optimal,
    fit_power_law,
    tokens_to_reach,
)
from genai_tutorial.training.schedules import (
    Schedule,
    warmup_cosine,
    warmup_linear,
    warmup_stable_decay,
)
from genai_tutorial.training.train_step import train_step

__all__ = [
    "EMA",
    "AdamW",
    "AdversarialHistory",
    "Allocation",
    "Checkpoint",
    "CombinedOptimizer",
    "Evaluation",
    "GradientNoise",
    "History",
    "Muon",
    "OptimizerSettings",
    "PowerLaw",
    "PrivacySettings",
    "PrivateHistory",
    "Process",
    "Schedule",
    "ShardedCheckpoint",
    "TensorBatches",
    "TokenBatches",
    "accumulated_train_step",
    "build_optimizer",
    "clip_and_noise",
    "clip_gradients",
    "compute_optimal",
    "discriminator_step",
    "draw_noise",
    "epsilon",
    "fit",
    "fit_adversarial",
    "fit_power_law",
    "fit_privately",
    "generator_step",
    "gradient_noise",
    "gradient_norms",
    "in_bfloat16",
    "is_first_process",
    "kept_bytes",
    "load_checkpoint",
    "orthogonalize",
    "parallel",
    "parameter_groups",
    "per_sample_gradients",
    "poisson_sample",
    "process_group",
    "recompute",
    "renyi_divergence_of_sampled_gaussian",
    "ring_attention",
    "save_checkpoint",
    "shard",
    "tokens_to_reach",
    "train_step",
    "unwrap",
    "warmup_cosine",
    "warmup_linear",
    "warmup_stable_decay",
]
