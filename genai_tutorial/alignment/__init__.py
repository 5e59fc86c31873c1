"""Alignment: supervised fine-tuning, and learning from human preferences and from
verifiable rewards. Read `supervised` and `lora` first, then `preferences` and `dpo`;
PPO is `experience` and `ppo`, GRPO and its variants `group_methods` and `grpo`.
"""

from .dpo import best_of_n, best_of_n_kl, dpo_losses, implicit_reward, learn_by_dpo
from .experience import (
    Experience,
    entropy,
    gather_experience,
    generalized_advantage_estimate,
    token_rewards,
    whiten,
)
from .group_methods import (
    CISPO,
    DAPO,
    GRPO,
    GSPO,
    RLOO,
    Advantages,
    DrGRPO,
    GroupMethod,
    StepNumbers,
    group_relative_advantages,
    grpo_loss,
)
from .grpo import (
    ExactAnswer,
    GRPOSettings,
    GRPOStep,
    Verifier,
    appears_anywhere,
    learn_by_grpo,
)
from .lora import (
    LoRAConfig,
    LoRALinear,
    add_lora,
    fold_lora,
    lora_layers,
    merge_lora,
    train_token_rows,
    trained_parameter_count,
    without_lora,
)
from .pair_losses import ipo_losses, kto_losses, orpo_losses, simpo_losses
from .ppo import (
    LearningSettings,
    LearningStep,
    PPOReport,
    PPOSettings,
    clipped_objective,
    clipped_policy_loss,
    clipped_value_loss,
    learn_by_ppo,
    ppo_loss,
    ppo_update,
)
from .preferences import (
    EncodedPairs,
    PreferencePair,
    PreferenceReport,
    PromptTokens,
    ScalarModel,
    answer_pairs,
    encode_pairs,
    judge_reward_model,
    reward_loss,
    sample_answers,
    train_reward_model,
)
from .supervised import (
    Example,
    Rows,
    answer_log_probs,
    answer_steps,
    encode_example,
    encode_prompt,
    masked_mean,
    masked_sum,
    pack_examples,
    pad_examples,
    supervised_loss,
    token_log_probs,
)
