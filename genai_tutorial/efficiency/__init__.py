"""Efficiency: counting what a model costs, quantized, fused versions of it for fast
inference, and distillation into a smaller one.
"""

from genai_tutorial.efficiency.counting import Counts, count
from genai_tutorial.efficiency.distillation import (
    TopProbabilities,
    reverse_kl,
    sequence_level_examples,
    soft_target_loss,
    top_probabilities,
    top_target_loss,
)
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
from genai_tutorial.efficiency.native import (
    NativeBuildError,
    build_native,
    fastest_decoder,
    find_compiler,
    generate_natively,
    kernel_source,
    native,
)
from genai_tutorial.efficiency.price import (
    dollars_per_million_tokens,
    watt_hours_per_million_tokens,
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

__all__ = [
    "MACHINES",
    "Counts",
    "FusedAttention",
    "FusedFeedForward",
    "GroupedAttention",
    "Int4Linear",
    "Int4PairLinear",
    "Int8Linear",
    "LatentAttention",
    "Machine",
    "ModelShape",
    "NativeBuildError",
    "QuantizedMatrix",
    "TopProbabilities",
    "TransposedLinear",
    "arithmetic_intensity",
    "attainable_rate",
    "build_native",
    "bytes_per_token",
    "count",
    "dollars_per_million_tokens",
    "fastest_decoder",
    "find_compiler",
    "flops_per_token",
    "generate_natively",
    "kernel_source",
    "memory_bandwidth",
    "native",
    "peak_flops",
    "quantize_affine",
    "quantize_symmetric",
    "quantized",
    "reverse_kl",
    "sequence_level_examples",
    "shape_of",
    "soft_target_loss",
    "top_probabilities",
    "top_target_loss",
    "watt_hours_per_million_tokens",
]
