"""Alignment: a language model learns to answer, and then to answer as people prefer."""

from genai_tutorial.alignment.advantages import generalized_advantage_estimate, whiten
from genai_tutorial.alignment.comparisons import answer_pairs, encode_comparisons, encode_question, sample_answers
from genai_tutorial.alignment.dpo import dpo_loss, dpo_losses, implicit_reward
from genai_tutorial.alignment.examples import Example, Rows, encode_example, pack_examples, pad_examples
from genai_tutorial.alignment.experience import Experience, gather_experience
from genai_tutorial.alignment.grpo import GRPOSettings, group_relative_advantages, grpo_loss, grpo_step, grpo_update
from genai_tutorial.alignment.kl import adapted_kl_weight, kl_k1, kl_k3, token_rewards
from genai_tutorial.alignment.learning import LearningSettings, LearningStep, learn_by_ppo
from genai_tutorial.alignment.log_probs import (
    answer_log_probs,
    answer_steps,
    chosen_log_probs,
    entropy,
    masked_mean,
    masked_sum,
    token_log_probs,
)
from genai_tutorial.alignment.lora import (
    LoRAConfig,
    LoRALinear,
    add_lora,
    fold_lora,
    load_lora,
    lora_layers,
    merge_lora,
    save_lora,
    trained_parameter_count,
    unmerge_lora,
    without_lora,
)
from genai_tutorial.alignment.ppo import (
    PPOReport,
    PPOSettings,
    clipped_objective,
    clipped_policy_loss,
    clipped_value_loss,
    ppo_loss,
    ppo_step,
    ppo_update,
)
from genai_tutorial.alignment.reward import (
    PreferenceReport,
    ScalarModel,
    preference_losses,
    preference_probability,
    preference_report,
    reward_loss,
)
from genai_tutorial.alignment.rollouts import Rollouts, Score, generate_rollouts
from genai_tutorial.alignment.supervised import supervised_loss

__all__ = [
    "Example",
    "Experience",
    "GRPOSettings",
    "LearningSettings",
    "LearningStep",
    "LoRAConfig",
    "LoRALinear",
    "PPOReport",
    "PPOSettings",
    "PreferenceReport",
    "Rollouts",
    "Rows",
    "ScalarModel",
    "Score",
    "adapted_kl_weight",
    "add_lora",
    "answer_log_probs",
    "answer_pairs",
    "answer_steps",
    "chosen_log_probs",
    "clipped_objective",
    "clipped_policy_loss",
    "clipped_value_loss",
    "dpo_loss",
    "dpo_losses",
    "encode_comparisons",
    "encode_example",
    "encode_question",
    "entropy",
    "fold_lora",
    "gather_experience",
    "generalized_advantage_estimate",
    "generate_rollouts",
    "group_relative_advantages",
    "grpo_loss",
    "grpo_step",
    "grpo_update",
    "implicit_reward",
    "kl_k1",
    "kl_k3",
    "learn_by_ppo",
    "load_lora",
    "lora_layers",
    "masked_mean",
    "masked_sum",
    "merge_lora",
    "pack_examples",
    "pad_examples",
    "ppo_loss",
    "ppo_step",
    "ppo_update",
    "preference_losses",
    "preference_probability",
    "preference_report",
    "reward_loss",
    "sample_answers",
    "save_lora",
    "supervised_loss",
    "token_log_probs",
    "token_rewards",
    "trained_parameter_count",
    "unmerge_lora",
    "whiten",
    "without_lora",
]
