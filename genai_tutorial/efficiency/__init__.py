"""Efficiency: counting what a model costs, its price on a given machine, quantization,
fused versions for fast inference, and distillation into a smaller model.
"""

from genai_tutorial.efficiency.awq import (
    activation_aware_scales,
)
from genai_tutorial.efficiency.batching.block_pool import (
    BlockPool,
)
from genai_tutorial.efficiency.batching.blocks import (
    BlockAllocator,
    BlockTable,
    OutOfBlocks,
)
from genai_tutorial.efficiency.batching.engine import (
    Engine,
)
from genai_tutorial.efficiency.batching.paged_cache import (
    PagedKVCache,
)
from genai_tutorial.efficiency.batching.prefix_cache import (
    CachedBlock,
    PrefixCache,
    block_digest,
    common_length,
)
from genai_tutorial.efficiency.batching.reading import (
    read_tables,
)
from genai_tutorial.efficiency.batching.request import (
    Answer,
    FinishReason,
    Request,
    SamplingOptions,
)
from genai_tutorial.efficiency.batching.scheduler import (
    Scheduler,
)
from genai_tutorial.efficiency.batching.static import (
    answer_alone,
    answer_in_static_batches,
)
from genai_tutorial.efficiency.batching.statistics import (
    Statistics,
)
from genai_tutorial.efficiency.cache_quantization import (
    QuantizedKVCache,
    read_with_cache,
)
from genai_tutorial.efficiency.counting import (
    Counts,
    count,
)
from genai_tutorial.efficiency.distillation import (
    TopProbabilities,
    reverse_kl,
    sequence_level_examples,
    soft_target_loss,
    top_probabilities,
    top_target_loss,
)
from genai_tutorial.efficiency.fused import (
    FusedAttention,
    FusedFeedForward,
    quantized,
)
from genai_tutorial.efficiency.gptq import (
    gptq_quantize,
    input_hessian,
    output_error,
)
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
from genai_tutorial.efficiency.native import (
    NativeBuildError,
    build_native,
    fastest_decoder,
    find_compiler,
    generate_natively,
    kernel_source,
    native,
)
from genai_tutorial.efficiency.outliers import (
    ActivationQuantizedLinear,
    int8_activations,
    kurtosis,
    round_activations,
)
from genai_tutorial.efficiency.packed_blocks import (
    PackedBlocks,
)
from genai_tutorial.efficiency.post_training import (
    Divergence,
    InputStatistics,
    observe_inputs,
    prediction_divergence,
    quantize_layers,
)
from genai_tutorial.efficiency.price import (
    dollars_per_million_tokens,
    watt_hours_per_million_tokens,
)
from genai_tutorial.efficiency.pruning import (
    activation_masks,
    apply_masks,
    block_matrices,
    heal,
    largest,
    magnitude_masks,
    pattern_masks,
    sparse_bits_per_weight,
)
from genai_tutorial.efficiency.quantization import (
    QuantizedMatrix,
    quantize_affine,
    quantize_symmetric,
)
from genai_tutorial.efficiency.roofline import (
    MACHINES,
    Machine,
    arithmetic_intensity,
    attainable_rate,
    bytes_per_token,
    flops_per_token,
    memory_bandwidth,
    peak_flops,
)
from genai_tutorial.efficiency.smoothing import (
    InputGroup,
    activation_maxima,
    fold_scales,
    input_groups,
    smooth_scales,
    smoothed,
)
from genai_tutorial.efficiency.structured_pruning import (
    UnitScores,
    block_influence,
    keep_blocks,
    narrow_feed_forward,
    unit_scores,
)

__all__ = [
    "MACHINES",
    "ActivationQuantizedLinear",
    "Answer",
    "BlockAllocator",
    "BlockPool",
    "BlockTable",
    "CachedBlock",
    "Counts",
    "Divergence",
    "Engine",
    "FinishReason",
    "FusedAttention",
    "FusedFeedForward",
    "GroupedAttention",
    "InputGroup",
    "InputStatistics",
    "Int4Linear",
    "Int4PairLinear",
    "Int8Linear",
    "LatentAttention",
    "Machine",
    "ModelShape",
    "NativeBuildError",
    "OutOfBlocks",
    "PackedBlocks",
    "PagedKVCache",
    "PrefixCache",
    "QuantizedKVCache",
    "QuantizedMatrix",
    "Request",
    "SamplingOptions",
    "Scheduler",
    "Statistics",
    "TopProbabilities",
    "TransposedLinear",
    "UnitScores",
    "activation_aware_scales",
    "activation_masks",
    "activation_maxima",
    "answer_alone",
    "answer_in_static_batches",
    "apply_masks",
    "arithmetic_intensity",
    "attainable_rate",
    "block_digest",
    "block_influence",
    "block_matrices",
    "build_native",
    "bytes_per_token",
    "common_length",
    "count",
    "dollars_per_million_tokens",
    "fastest_decoder",
    "find_compiler",
    "flops_per_token",
    "fold_scales",
    "generate_natively",
    "gptq_quantize",
    "heal",
    "input_groups",
    "input_hessian",
    "int8_activations",
    "keep_blocks",
    "kernel_source",
    "kurtosis",
    "largest",
    "magnitude_masks",
    "memory_bandwidth",
    "narrow_feed_forward",
    "native",
    "observe_inputs",
    "output_error",
    "pattern_masks",
    "peak_flops",
    "prediction_divergence",
    "quantize_affine",
    "quantize_layers",
    "quantize_symmetric",
    "quantized",
    "read_tables",
    "read_with_cache",
    "reverse_kl",
    "round_activations",
    "sequence_level_examples",
    "shape_of",
    "smooth_scales",
    "smoothed",
    "soft_target_loss",
    "sparse_bits_per_weight",
    "top_probabilities",
    "top_target_loss",
    "unit_scores",
    "watt_hours_per_million_tokens",
]
