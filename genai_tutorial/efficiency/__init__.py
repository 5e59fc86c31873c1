"""Efficiency: counting what a model costs, quantized, fused versions of it for fast
inference, and serving many requests at once.
"""

from genai_tutorial.efficiency.batching.block_pool import BlockPool
from genai_tutorial.efficiency.batching.blocks import (
    BlockAllocator,
    BlockTable,
    OutOfBlocks,
)
from genai_tutorial.efficiency.batching.engine import Engine
from genai_tutorial.efficiency.batching.paged_cache import PagedKVCache
from genai_tutorial.efficiency.batching.prefix_cache import (
    CachedBlock,
    PrefixCache,
    block_digest,
    common_length,
)
from genai_tutorial.efficiency.batching.reading import read_tables
from genai_tutorial.efficiency.batching.request import (
    Answer,
    FinishReason,
    Request,
    SamplingOptions,
)
from genai_tutorial.efficiency.batching.scheduler import Scheduler
from genai_tutorial.efficiency.batching.static import (
    answer_alone,
    answer_in_static_batches,
)
from genai_tutorial.efficiency.batching.statistics import Statistics
from genai_tutorial.efficiency.counting import Counts, count
from genai_tutorial.efficiency.fused import FusedAttention, FusedFeedForward, quantized
from genai_tutorial.efficiency.linear import (
    Int4Linear,
    Int4PairLinear,
    Int8Linear,
    TransposedLinear,
)
from genai_tutorial.efficiency.model_sizes import (
    GroupedAttention,
    LatentAttention,
    ModelShape,
    shape_of,
)
from genai_tutorial.efficiency.quantization import (
    QuantizedMatrix,
    quantize_affine,
    quantize_symmetric,
)

__all__ = [
    "Answer",
    "BlockAllocator",
    "BlockPool",
    "BlockTable",
    "CachedBlock",
    "Counts",
    "Engine",
    "FinishReason",
    "FusedAttention",
    "FusedFeedForward",
    "GroupedAttention",
    "Int4Linear",
    "Int4PairLinear",
    "Int8Linear",
    "LatentAttention",
    "ModelShape",
    "OutOfBlocks",
    "PagedKVCache",
    "PrefixCache",
    "QuantizedMatrix",
    "Request",
    "SamplingOptions",
    "Scheduler",
    "Statistics",
    "TransposedLinear",
    "answer_alone",
    "answer_in_static_batches",
    "block_digest",
    "common_length",
    "count",
    "quantize_affine",
    "quantize_symmetric",
    "quantized",
    "read_tables",
    "shape_of",
]
