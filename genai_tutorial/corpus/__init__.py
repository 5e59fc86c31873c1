"""The data pipeline for pre-training, from raw text to batches: normalize, filter,
deduplicate, decontaminate, pack, shard and mix.
"""

from genai_tutorial.corpus.decontaminate import (
    Decontaminator,
    held_out_grams,
    seen_share,
    word_grams,
)
from genai_tutorial.corpus.infilling import (
    INFILL_TOKENS,
    Gap,
    Order,
    docstring_gap,
    draw_gap,
    infilling_prompt,
    line_gaps,
    rearrange,
    restore,
)
from genai_tutorial.corpus.minhash import (
    Duplicates,
    MinHash,
    candidate_pairs,
    candidate_probability,
    clusters,
    deduplicate,
    jaccard,
    shingles,
)
from genai_tutorial.corpus.mixture import DataMixture, passes
from genai_tutorial.corpus.normalize import normalize
from genai_tutorial.corpus.order import PackedBatches
from genai_tutorial.corpus.packing import cut_rows, document_numbers, join_documents
from genai_tutorial.corpus.quality import (
    Filtered,
    QualityRules,
    filter_documents,
    reason_to_reject,
)
from genai_tutorial.corpus.shards import TokenShards, write_shards

__all__ = [
    "INFILL_TOKENS",
    "DataMixture",
    "Decontaminator",
    "Duplicates",
    "Filtered",
    "Gap",
    "MinHash",
    "Order",
    "PackedBatches",
    "QualityRules",
    "TokenShards",
    "candidate_pairs",
    "candidate_probability",
    "clusters",
    "cut_rows",
    "deduplicate",
    "docstring_gap",
    "document_numbers",
    "draw_gap",
    "filter_documents",
    "held_out_grams",
    "infilling_prompt",
    "jaccard",
    "join_documents",
    "line_gaps",
    "normalize",
    "passes",
    "rearrange",
    "reason_to_reject",
    "restore",
    "seen_share",
    "shingles",
    "word_grams",
    "write_shards",
]
