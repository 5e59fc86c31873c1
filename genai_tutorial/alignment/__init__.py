"""Alignment: supervised fine-tuning, and learning from human preferences."""

from .best_of_n import best_of_n, best_of_n_kl
from .dpo import dpo_losses, implicit_reward, learn_by_dpo
from .examples import (
    Example,
    Rows,
    encode_example,
    encode_prompt,
    pack_examples,
    pad_examples,
)
from .experience import (
    Experience,
    gather_experience,
    generalized_advantage_estimate,
    token_rewards,
    whiten,
)
from .group_learning import GroupLearningSettings, GroupLearningStep, learn_by_grpo
from .group_methods import (
    DAPO,
    GRPO,
    RLOO,
    Advantages,
    DrGRPO,
    GroupMethod,
    StepNumbers,
)
from .grpo import group_relative_advantages, grpo_loss
from .learning import LearningSettings, LearningStep, learn_by_ppo
from .log_probs import (
    answer_log_probs,
    answer_steps,
    entropy,
    masked_mean,
    masked_sum,
    token_log_probs,
)
from .lora import (
    LoRAConfig,
    LoRALinear,
    add_lora,
    fold_lora,
    lora_layers,
    merge_lora,
    trained_parameter_count,
    without_lora,
)
from .ppo import (
    PPOReport,
    PPOSettings,
    clipped_objective,
    clipped_policy_loss,
    clipped_value_loss,
    ppo_loss,
    ppo_update,
)
from .preferences import (
    EncodedPairs,
    PreferencePair,
    Prompt,
    answer_pairs,
    encode_pairs,
    sample_answers,
)
from .reward import (
    PreferenceReport,
    ScalarModel,
    judge_reward_model,
    reward_loss,
    train_reward_model,
)
from .supervised import supervised_loss
from .token_rows import train_token_rows
from .verifiable import ExactAnswer, Verifier, appears_anywhere
