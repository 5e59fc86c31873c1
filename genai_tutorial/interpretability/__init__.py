"""Look inside a model: what its attention heads attend to, how well its hidden states
separate two senses, what an ablation costs, what changes when a part of one run is
patched into another or a direction is added, which directions its states are made of,
and what word vectors and tokens encode.
"""

from .attention_heads import (
    ablated,
    ablation_costs,
    induction_scores,
    mean_head_outputs,
    predict_values,
    previous_token_scores,
    repeated_random_tokens,
)
from .attention_only import AttentionOnly, repeated_symbols, train_attention_only
from .patching import (
    attribution_patching,
    head_outputs,
    mean_states,
    patched,
    patching_grid,
    steered,
)
from .probes import (
    Batch,
    PositionReader,
    centred_cosines,
    leave_one_out_centroid_hits,
    name_pairs,
    previous_word_batch,
    reader_accuracy,
    train_reader,
    who_bites_batch,
    within_between_auc,
    within_between_auc_interval,
)
from .sparse_autoencoder import SparseAutoencoder, train_sparse_autoencoder
from .superposition import (
    SuperpositionToy,
    best_cosines,
    draw_superposed,
    random_directions,
    train_superposition,
)
from .token_attribution import (
    ablate_tokens,
    attention_rollout,
    input_gradients,
    integrated_gradients,
)
from .word_vectors import (
    ANALOGY_FAMILIES,
    AnalogyScores,
    WordVectors,
    cooccurrence_counts,
    positive_pmi,
    score_analogies,
    split_into_words,
)
