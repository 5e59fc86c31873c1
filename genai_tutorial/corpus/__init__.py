"""The data pipeline for pre-training, from raw text to batches: normalize, filter,
deduplicate, decontaminate, pack, shard and mix.
"""

from .decontaminate import Decontaminator, Gram, held_out_grams
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
from .minhash import Duplicates, MinHash, deduplicate
from .normalize import normalize
from .order import PackedBatches
from .packing import cut_rows, document_numbers, join_documents
from .quality import Filtered, QualityRules, filter_documents
from .shards import TokenShards, write_shards
