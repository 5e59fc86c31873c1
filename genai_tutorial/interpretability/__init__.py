"""Look inside a model: what its attention heads attend to, how well its hidden states
separate two senses, what an ablation costs, and what word vectors and tokens encode.
"""

from .ablation import ablated, ablation_costs, mean_head_outputs
from .analogies import ANALOGY_FAMILIES, AnalogyScores, score_analogies
from .attention_heads import (
    induction_scores,
    previous_token_scores,
    repeated_random_tokens,
)
from .position_reader import (
    Batch,
    PositionReader,
    name_pairs,
    previous_word_batch,
    reader_accuracy,
    train_reader,
    who_bites_batch,
)
from .separation import (
    centred_cosines,
    leave_one_out_centroid_hits,
    within_between_auc,
    within_between_auc_interval,
)
from .token_values import predict_values
from .word_vectors import (
    WordVectors,
    cooccurrence_counts,
    positive_pmi,
    split_into_words,
)
