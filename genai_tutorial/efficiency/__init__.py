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
    "TopProbabilities",
    "TransposedLinear",
    "count",
    "quantize_affine",
    "quantize_symmetric",
    "quantized",
    "reverse_kl",
    "sequence_level_examples",
    "shape_of",
    "soft_target_loss",
    "top_probabilities",
    "top_target_loss",
]
