"""Generation: sampling text from a language model's predictions."""

from genai_tutorial.generation.constraint import (
    Constraint,
    ForbiddenTokens,
    mask_logits,
)
from genai_tutorial.generation.generate import draw, generate, next_token_logits, stream
from genai_tutorial.generation.rollouts import Rollouts, Score, generate_rollouts
from genai_tutorial.generation.sampling import (
    keep_min_p,
    keep_top_k,
    keep_top_p,
    next_token_probabilities,
)
from genai_tutorial.generation.stopping import Stop, StopAtText

__all__ = [
    "Constraint",
    "ForbiddenTokens",
    "Rollouts",
    "Score",
    "Stop",
    "StopAtText",
    "draw",
    "generate",
    "generate_rollouts",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
    "mask_logits",
    "next_token_logits",
    "next_token_probabilities",
    "stream",
]
