"""Efficiency: counting what a model costs, and quantized, fused versions of it for
fast inference.
"""

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
    "Counts",
    "FusedAttention",
    "FusedFeedForward",
    "GroupedAttention",
    "Int4Linear",
    "Int4PairLinear",
    "Int8Linear",
    "LatentAttention",
    "ModelShape",
    "QuantizedMatrix",
    "TransposedLinear",
    "count",
    "quantize_affine",
    "quantize_symmetric",
    "quantized",
    "shape_of",
]
