"""The data pipeline for pre-training, from raw text to batches: normalize, filter,
deduplicate, decontaminate, pack, shard and mix.
"""

from .cleaning import (
    Decontaminator,
    Filtered,
    Gram,
    QualityRules,
    filter_documents,
    held_out_grams,
    normalize,
    reason_to_reject,
    seen_share,
    word_grams,
)
from .infilling import (
    INFILL_TOKENS,
    Gap,
    Order,
    Span,
    docstring_gap,
    draw_gap,
    infilling_prompt,
    line_gaps,
    rearrange,
    restore,
)
from .minhash import (
    Duplicates,
    MinHash,
    Pair,
    candidate_pairs,
    candidate_probability,
    deduplicate,
    jaccard,
    shingles,
)
from .order import DataMixture, PackedBatches, passes
from .shards import (
    TokenShards,
    cut_rows,
    document_numbers,
    join_documents,
    write_shards,
)
