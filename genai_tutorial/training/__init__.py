"""Training: the loop, the optimisers and their schedules, batches, checkpoints, several
processes at once.
"""

from genai_tutorial.training.adamw import AdamW
from genai_tutorial.training.adversarial import (
    AdversarialHistory,
    discriminator_step,
    draw_noise,
    fit_adversarial,
    generator_step,
)
from genai_tutorial.training.batches import TensorBatches, TokenBatches
from genai_tutorial.training.checkpoint import (
    load_checkpoint,
    random_state,
    save_checkpoint,
    set_random_state,
)
from genai_tutorial.training.distributed import (
    Process,
    is_first_process,
    is_sharded,
    parallel,
    process_group,
    shard,
    together,
    unwrap,
)
from genai_tutorial.training.ema import EMA
from genai_tutorial.training.fit import Checkpoint, fit
from genai_tutorial.training.history import Evaluation, History
from genai_tutorial.training.muon import Muon, orthogonalise
from genai_tutorial.training.noise_scale import GradientNoise, gradient_noise
from genai_tutorial.training.optimizers import (
    CombinedOptimizer,
    OptimizerSettings,
    build_optimizer,
    clip_gradients,
    parameter_groups,
)
from genai_tutorial.training.recomputing import kept_bytes, recompute
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
from genai_tutorial.training.sharded_checkpoint import (
    latest_step,
    load_sharded,
    save_sharded,
)

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
    "Process",
    "Schedule",
    "TensorBatches",
    "TokenBatches",
    "build_optimizer",
    "clip_gradients",
    "compute_optimal",
    "discriminator_step",
    "draw_noise",
    "fit",
    "fit_adversarial",
    "fit_power_law",
    "generator_step",
    "gradient_noise",
    "is_first_process",
    "is_sharded",
    "kept_bytes",
    "latest_step",
    "load_checkpoint",
    "load_sharded",
    "orthogonalise",
    "parallel",
    "parameter_groups",
    "process_group",
    "random_state",
    "recompute",
    "save_checkpoint",
    "save_sharded",
    "set_random_state",
    "shard",
    "together",
    "tokens_to_reach",
    "unwrap",
    "warmup_cosine",
    "warmup_linear",
    "warmup_stable_decay",
]
