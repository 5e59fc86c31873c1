"""Generation: sampling text from a language model's predictions."""

from genai_tutorial.generation.constraint import (
    Constraint,
    ForbiddenTokens,
    mask_logits,
)
from genai_tutorial.generation.generate import draw, generate, next_token_logits, stream
from genai_tutorial.generation.rollout_rows import join_rollouts, select_rollouts
from genai_tutorial.generation.rollouts import Rollouts, Score, generate_rollouts
from genai_tutorial.generation.sampling import (
    keep_min_p,
    keep_top_k,
    keep_top_p,
    next_token_probabilities,
)
from genai_tutorial.generation.stopping import Stop, StopAtText
from genai_tutorial.generation.test_time import (
    ChosenAnswer,
    ComputePoint,
    SampledAnswer,
    accuracy_per_tokens,
    best_of_samples,
    self_consistency,
    weighted_vote,
)

__all__ = [
    "ChosenAnswer",
    "ComputePoint",
    "Constraint",
    "ForbiddenTokens",
    "Rollouts",
    "SampledAnswer",
    "Score",
    "Stop",
    "StopAtText",
    "accuracy_per_tokens",
    "best_of_samples",
    "draw",
    "generate",
    "generate_rollouts",
    "join_rollouts",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "mask_logits",
    "next_token_logits",
    "next_token_probabilities",
    "select_rollouts",
    "self_consistency",
    "stream",
    "weighted_vote",
]
