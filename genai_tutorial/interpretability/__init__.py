"""Look inside a model: what its attention heads look for, how far its vectors separate
two senses, what is lost when a part is switched off, and word vectors from counts.
"""

from genai_tutorial.interpretability.ablation import switched_off
from genai_tutorial.interpretability.attention_heads import (
    induction_scores,
    previous_token_scores,
    repeated_random_tokens,
)
from genai_tutorial.interpretability.separation import (
    centred_cosines,
    leave_one_out_centroid_hits,
    within_between_auc,
    within_between_auc_interval,
)
from genai_tutorial.interpretability.word_vectors import (
    WordVectors,
    cooccurrence_counts,
    positive_pmi,
)

__all__ = [
    "WordVectors",
    "centred_cosines",
    "cooccurrence_counts",
    "induction_scores",
    "leave_one_out_centroid_hits",
    "positive_pmi",
    "previous_token_scores",
    "repeated_random_tokens",
    "switched_off",
    "within_between_auc",
    "within_between_auc_interval",
]
