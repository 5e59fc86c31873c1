"""Training: the loop of every model in the book, and what it is made of.

Read `fit` first, the step and the loop, then `batches`, `optimizers`, `schedules` and
`checkpoint`. `distributed` and `memory` train on several processes and what does not
fit into memory. `adversarial` and `private` have their own loops, and `scaling_laws`
plans a run.
"""

from .adversarial import (
    AdversarialHistory,
    Penalty,
    Players,
    discriminator_step,
    draw_noise,
    fit_adversarial,
)
from .batches import TensorBatches, TokenBatches
from .checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from .distributed import Process, parallel, process_group, ring_attention, unwrap
from .fit import Evaluation, History, clip_gradients, fit, train_step, training_loop
from .memory import in_bfloat16, kept_bytes, recompute, shard
from .optimizers import (
    AdamW,
    CombinedOptimizer,
    Muon,
    OptimizerSettings,
    build_optimizer,
    orthogonalize,
    parameter_groups,
)
from .private import (
    Gradients,
    PrivacySettings,
    PrivateHistory,
    clip_and_noise,
    epsilon,
    fit_privately,
    per_sample_gradients,
    poisson_sample,
)
from .scaling_laws import (
    Allocation,
    GradientNoise,
    PowerLaw,
    compute_optimal,
    fit_power_law,
    gradient_noise,
    tokens_to_reach,
)
from .schedules import (
    EMA,
    Decay,
    Schedule,
    scale_learning_rates,
    warmup_constant,
    warmup_cosine,
    warmup_linear,
    warmup_stable_decay,
)
