"""Look inside a model: what its attention heads attend to, how well its hidden states
separate two senses, what an ablation costs, and what word vectors and tokens encode.
"""

from genai_tutorial.interpretability.ablation import (
    ablated,
    ablation_costs,
    mean_head_outputs,
)
from genai_tutorial.interpretability.analogies import (
    ANALOGY_FAMILIES,
    AnalogyScores,
    score_analogies,
)
from genai_tutorial.interpretability.attention_heads import (
    induction_scores,
    previous_token_scores,
    repeated_random_tokens,
)
from genai_tutorial.interpretability.position_reader import (
    PositionReader,
    name_pairs,
    previous_word_batch,
    reader_accuracy,
    train_reader,
    who_bites_batch,
)
from genai_tutorial.interpretability.separation import (
    centred_cosines,
    leave_one_out_centroid_hits,
    within_between_auc,
    within_between_auc_interval,
)
from genai_tutorial.interpretability.token_values import predict_values
from genai_tutorial.interpretability.word_vectors import (
    WordVectors,
    cooccurrence_counts,
    positive_pmi,
)

__all__ = [
    "ANALOGY_FAMILIES",
    "AnalogyScores",
    "PositionReader",
    "WordVectors",
    "ablated",
    "ablation_costs",
    "centred_cosines",
    "cooccurrence_counts",
    "induction_scores",
    "leave_one_out_centroid_hits",
    "mean_head_outputs",
    "name_pairs",
    "positive_pmi",
    "predict_values",
    "previous_token_scores",
    "previous_word_batch",
    "reader_accuracy",
    "repeated_random_tokens",
    "score_analogies",
    "train_reader",
    "who_bites_batch",
    "within_between_auc",
    "within_between_auc_interval",
]
