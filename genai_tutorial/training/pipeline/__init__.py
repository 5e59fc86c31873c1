"""From raw text to batches: normalise, filter, de-duplicate, decontaminate, tokenise,
pack, shard, mix, order.
"""

from genai_tutorial.training.pipeline.decontaminate import (
    Decontaminator,
    held_out_grams,
    seen_share,
    word_grams,
)
from genai_tutorial.training.pipeline.minhash import (
    Duplicates,
    MinHash,
    candidate_pairs,
    candidate_probability,
    clusters,
    deduplicate,
    jaccard,
    shingles,
)
from genai_tutorial.training.pipeline.mixture import Mixture, passes
from genai_tutorial.training.pipeline.normalise import normalise
from genai_tutorial.training.pipeline.order import PackedBatches
from genai_tutorial.training.pipeline.packing import (
    cut_rows,
    document_numbers,
    join_documents,
)
from genai_tutorial.training.pipeline.quality import (
    Filtered,
    QualityRules,
    filter_documents,
    reason_to_reject,
)
from genai_tutorial.training.pipeline.shards import TokenShards, write_shards

__all__ = [
    "Decontaminator",
    "Duplicates",
    "Filtered",
    "MinHash",
    "Mixture",
    "PackedBatches",
    "QualityRules",
    "TokenShards",
    "candidate_pairs",
    "candidate_probability",
    "clusters",
    "cut_rows",
    "deduplicate",
    "document_numbers",
    "filter_documents",
    "held_out_grams",
    "jaccard",
    "join_documents",
    "normalise",
    "passes",
    "reason_to_reject",
    "seen_share",
    "shingles",
    "word_grams",
    "write_shards",
]
